"""The parts of benchmarks/soak.py: clients, measuring, and what the curves say."""

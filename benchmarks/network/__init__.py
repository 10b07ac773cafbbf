"""Trains the two small networks of the `flow` engine; see train.py."""

"""The Tweenbridge server: keeps jobs, runs engines, and hands out frames over ZeroMQ."""

__version__ = "0.1.0"

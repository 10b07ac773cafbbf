"""The Tweenbridge server: keeps jobs, runs engines, and hands out frames over ZeroMQ."""

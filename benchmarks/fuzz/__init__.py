"""Fuzzing what reads data from outside: targets, a runner, and the corpora that the tests replay."""

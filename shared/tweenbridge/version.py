"""The version of this package. A constant, because the client also travels where no package metadata comes along."""

__version__ = "0.1.0"

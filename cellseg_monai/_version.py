"""The version of the package, in one place that set-up and metadata read."""

__version__ = "0.1.0"

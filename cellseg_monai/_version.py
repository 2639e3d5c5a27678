"""The version of the package, defined only here for both the build and the metadata."""

__version__ = "0.1.0"

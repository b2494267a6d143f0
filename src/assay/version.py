"""The release of assay."""

__version__ = "0.1.0"

"""The terminal front ends of the engine: the app, and plain text."""

__version__ = "0.1.0"

"""A sidecar proxy that pins, stamps and rolls back the behaviour of hosted LLM APIs."""

__version__ = "0.1.0"

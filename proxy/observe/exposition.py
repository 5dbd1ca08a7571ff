"""Prometheus' text format, as far as every metric needs it. Pure."""

from __future__ import annotations


def described(name: str, kind: str, text: str) -> tuple[str, str]:
    """Return the lines before the samples of a metric: what it is, for people, and its type. `text`
    is one line without backslashes, which the format would have escaped."""
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"

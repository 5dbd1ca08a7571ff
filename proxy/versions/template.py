"""`{{name}}` placeholders: found when a version is registered, filled in for each request.

Strategy: a text is cut once into literal pieces and names, so that filling in is a join. Values
are data: what they contain is never looked at for placeholders again. Braces around anything
that is not an identifier are literal text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]{0,63})[ \t]*\}\}", re.ASCII)


def placeholders(text: str) -> Iterator[str]:
    """Yield the names that `text` uses, in order, repeated where they repeat."""
    return (match[1] for match in _PLACEHOLDER.finditer(text))


def spelled(text: str) -> Iterator[tuple[str, str]]:
    """Yield what looks like a placeholder in `text`: its name, and how it is written."""
    return ((match[1], match[0]) for match in _PLACEHOLDER.finditer(text))


def cut(text: str) -> list[str]:
    """Split `text` into literal, name, literal, …, literal: odd places hold names.

    Joining with every name put back between double braces gives the text again, but for blanks
    inside the braces.
    """
    return _PLACEHOLDER.split(text)

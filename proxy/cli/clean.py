"""Stored text, made safe to show."""

from __future__ import annotations

import re

# Prompts and reasons are other people's text: escape sequences would act on the terminal, and
# direction marks would show a diff in another order than it has.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return `text` without characters that act on a terminal; line ends and tabs stay."""
    return _UNPRINTABLE.sub("\ufffd", text)

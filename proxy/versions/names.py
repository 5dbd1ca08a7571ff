"""Names, ids and references: what people type and what the store keeps.

A version is referred to as `v7`, `v7-a3f9c2`, its full id `recommender-v7-a3f9c2`, or a label.
All patterns are ASCII and matched whole: `$` would let a trailing newline through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ENDS_LIKE_ID = re.compile(r".*-v[0-9]+-[0-9a-f]{6,64}", re.ASCII)
_NUMBER = re.compile(r"v([1-9][0-9]{0,8})(?:-([0-9a-f]{6,64}))?", re.ASCII)
_V_DIGITS = re.compile(r"v[0-9]+", re.ASCII)
_ID = re.compile(
    r"([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)-v([1-9][0-9]{0,8})-([0-9a-f]{6,64})", re.ASCII
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)

SHORTEST_HEX = 6


@dataclass(frozen=True, slots=True)
class ByNumber:
    """`v7` or `v7-a3f9c2`; `hexdigits` is empty where only the number was given."""

    number: int
    hexdigits: str = ""


@dataclass(frozen=True, slots=True)
class ByLabel:
    label: str


Reference = ByNumber | ByLabel


def is_model_name(text: str) -> bool:
    """Say whether `text` may name a model. A name never ends like an id."""
    return _NAME.fullmatch(text) is not None and _ENDS_LIKE_ID.fullmatch(text) is None


def is_label(text: str) -> bool:
    """Say whether `text` may be a label. `v7` is a version, so it is none."""
    return is_model_name(text) and _V_DIGITS.fullmatch(text) is None


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def version_id(model: str, number: int, hexdigits: str) -> str:
    return f"{model}-v{number}-{hexdigits}"


def split_id(text: str) -> tuple[str, ByNumber] | None:
    """Take `recommender-v7-a3f9c2` apart; `None` if it is no full id."""
    match = _ID.fullmatch(text)
    if match is None:
        return None
    return match[1], ByNumber(int(match[2]), match[3])


def parse_reference(text: str, model: str) -> Reference | None:
    """Read how a version of `model` was referred to; `None` if that is no reference.

    A full id of another model is none either: it would pin something else than was named.
    """
    if match := _NUMBER.fullmatch(text):
        return ByNumber(int(match[1]), match[2] or "")
    if full := split_id(text):
        return full[1] if full[0] == model else None
    return ByLabel(text) if is_label(text) else None

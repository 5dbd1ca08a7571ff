"""What a command asks the fleet, and how a proxy answers.

Both travel through the store as JSON, and another release may have written them: fields that are
not known are skipped, and what cannot be read is as good as no answer.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from proxy.versions.record import Pin, Question, VersionInfo

PREPARE = "prepare"
"""Fetch, verify and compile versions that are about to be pinned."""

HOLDINGS = "holdings"
"""Say what you serve and which versions you hold."""

CONTENT = "content"
"""Give one version that you hold."""

_T = TypeVar("_T")


class Wanted(msgspec.Struct, frozen=True):
    """A version by all its names: what is prepared or given has this digest or is refused."""

    model: str
    number: int
    id: str
    digest: str


class Prepare(msgspec.Struct, frozen=True):
    versions: tuple[Wanted, ...]


class Prepared(msgspec.Struct, frozen=True):
    """`rejected` says by version id why this proxy would not serve it; empty: it is ready."""

    rejected: dict[str, str] = {}


class Holdings(msgspec.Struct, frozen=True):
    """`pins` are what labels hold at this proxy, `versions` all that it could give."""

    epoch: int
    pins: tuple[Pin, ...]
    versions: tuple[Wanted, ...]


class Give(msgspec.Struct, frozen=True):
    """Asks one member, by its key: the others have the same to give, and would send it for
    nothing."""

    member: str
    version: Wanted


class Given(msgspec.Struct, frozen=True):
    """`content` is the canonical JSON that the digest of `info` is over."""

    info: VersionInfo
    content: str


def question(id: str, kind: str, body: msgspec.Struct | None = None) -> Question:
    return Question(id, kind, msgspec.to_builtins(body) if body is not None else {})


def asked(question: Question, kind: type[_T]) -> _T | None:
    """Return the question's body; None if it cannot be read."""
    try:
        return msgspec.convert(question.body, kind)
    except msgspec.ValidationError:
        return None


def answered(body: bytes, kind: type[_T]) -> _T | None:
    """Return an answer's body; None if it cannot be read."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def answer(body: Any) -> bytes:
    return msgspec.json.encode(body)

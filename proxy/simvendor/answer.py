"""A tidy answer, in pieces: what all dialects produce and the server sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.simvendor.asked import compact

STREAM = "text/event-stream; charset=utf-8"
WHOLE = "application/json"

# Pieces of an answer that is no stream, so that a script can stop in the middle of it.
PIECE_BYTES = 64

# The same request gets the same bytes, so the time of an answer is fixed too.
CREATED = 1795500000


@dataclass(frozen=True, slots=True)
class Answer:
    """`failure` is the dialect's error event for the middle of a stream."""

    content_type: str
    pieces: Sequence[bytes]
    failure: bytes


def whole(body: Mapping[str, Any]) -> Answer:
    encoded = compact(body).encode()
    cuts = range(0, len(encoded), PIECE_BYTES)
    return Answer(WHOLE, [encoded[cut : cut + PIECE_BYTES] for cut in cuts], b"")


def padding(delta: str) -> str:
    """Return the `obfuscation` of a delta: it hides from the network how long a token was."""
    return "x" * (-len(delta) % 16)

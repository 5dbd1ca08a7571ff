"""Who keeps a target: a value of the request, and how well each target suits it. Pure.

Strategy: weighted rendezvous hashing. Each target has a score of its own for a key, so whoever
comes, goes or changes its weight moves only those keys that have to move, and every proxy finds the
same without a word to the others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from proxy.dialects.neutral import read_value
from proxy.dialects.raw import Raw

# Longer than any id; a text beyond that is told apart by its beginning.
MOST_BYTES = 512


def key_of(
    sticky: Sequence[str],
    users: Sequence[str],
    fields: Mapping[str, Raw],
    headers: Mapping[bytes, bytes],
) -> bytes:
    """Return the first value that the request has of what `sticky` names, empty if none: `user`
    (what the dialect calls `users`, the first that there is), `header:NAME` or `field:NAME`."""
    for wanted in sticky:
        kind, _, name = wanted.partition(":")
        if kind == "header":
            value = headers.get(name.encode(), b"")
        else:
            values = (read_value(fields, path) for path in ((name,) if name else users))
            value = next(filter(None, values), b"")
        if value:
            return value[:MOST_BYTES]
    return b""


def scores(key: bytes, names: Sequence[str], weights: Sequence[int]) -> tuple[float, ...]:
    """Return how well each target suits `key`: the highest is its own. Over many keys, each is the
    highest as often as its weight is a share of all."""
    return tuple(
        weight / -math.log(_point(key, name)) for name, weight in zip(names, weights, strict=True)
    )


def _point(key: bytes, name: str) -> float:
    """Return a number between 0 and 1, neither of them."""
    digest = hashlib.sha256(b"%d:%b%b" % (len(key), key, name.encode())).digest()
    # 52 bits and a half: a double holds all of them below 1.
    return ((int.from_bytes(digest[:8]) >> 12) + 0.5) / 2**52

"""What labels held before, as Redis keeps it: one JSON text, that `lua/pin.lua` writes."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from proxy.store.base import MOST_FORMER
from proxy.store.records import UNREADABLE
from proxy.versions.names import is_label, split_id
from proxy.versions.record import Former

# Each names an id and a label, of names with 63 characters at most.
MAX_TEXT_BYTES = MOST_FORMER * 512


class _Kept(msgspec.Struct, frozen=True):
    id: str
    label: str
    at_ms: str


def decode(text: bytes | None, known: Collection[Former] = ()) -> tuple[Former, ...]:
    """Return the former holders that can be read, oldest first; of too many, the newest.

    Those among `known` are not made again: a pin adds one, and the whole fleet reads all of them.
    """
    if text is None or len(text) > MAX_TEXT_BYTES:
        return ()
    try:
        kept = msgspec.json.decode(text, type=list[_Kept])
    except UNREADABLE:
        return ()
    made = {(one.id, one.label, str(one.at_ms)): one for one in known}
    found = (
        made.get((one.id, one.label, one.at_ms)) or former(one.id, one.label, one.at_ms)
        for one in kept[-MOST_FORMER:]
    )
    return tuple(one for one in found if one is not None)


def former(id: str, label: str, at_ms: str) -> Former | None:
    """Make a former holder of what is kept; None if no swap would have written it."""
    # 15 digits: within the reach of every clock, and of `int`.
    if split_id(id) is None or not is_label(label) or len(at_ms) > 15:
        return None
    return Former(id, label, int(at_ms)) if at_ms.isascii() and at_ms.isdigit() else None

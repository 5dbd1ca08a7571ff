"""Which fields of a body would go out otherwise than an app sent them, by name. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from proxy.dialects.base import Composed
from proxy.dialects.policy import MAX_NAME
from proxy.dialects.raw import Fields, Raw

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ANY = msgspec.json.Decoder()


def differences(sent: Fields, composed: Composed, vendor_model: bytes) -> tuple[str, ...]:
    """Return the names of fields that `composed` adds, takes away or changes, and of what the
    policy drops in them, sorted. `vendor_model` is the id that would go out, as JSON. Spelling is
    no difference: blanks, the order of keys, how a number is written."""
    made = _OBJECT.decode(b"".join(map(bytes, composed.body(vendor_model))))
    found = set(_differing(sent, made))
    dropped = {name for name in composed.dropped if name.partition(".")[0] in found}
    return tuple(sorted(name[:MAX_NAME] for name in found | dropped))


def _differing(sent: Fields, made: Fields) -> Iterator[str]:
    for name in {**sent, **made}:
        if not _is_same(sent.get(name), made.get(name)):
            yield name


def _is_same(one: Raw | None, other: Raw | None) -> bool:
    if one is None or other is None:
        return False
    if bytes(one) == bytes(other):
        return True
    try:
        return bool(_ANY.decode(one) == _ANY.decode(other))
    except (msgspec.DecodeError, RecursionError):
        return False  # deeper than can be compared

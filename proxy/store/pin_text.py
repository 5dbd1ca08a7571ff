"""The text of a pin, `epoch|id|digest|operation`: one value, so that writing it swaps the pin.

People write it by hand when nothing else is left. So reading is strict: a text that no swap would
have written is broken, and whoever follows the pin keeps what it has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from proxy.versions.names import split_id
from proxy.versions.record import Pin, PinKey, Pins

# Lua counts in doubles: beyond this, adding one changes nothing.
MAX_EPOCH = 2**53 - 1

_PIN = re.compile(
    r"([0-9]{1,16})\|([a-z0-9-]+)\|(sha256:[0-9a-f]{64})\|([^|\x00-\x1f\x7f]+)", re.ASCII
)


def encode(pin: Pin) -> str:
    return f"{pin.epoch}|{pin.id}|{pin.digest}|{pin.operation}"


def decode(model: str, label: str, text: str | bytes) -> Pin | None:
    """Read a pin's text; None if no swap of this label would have written it."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    match = _PIN.fullmatch(text)
    if match is None:
        return None
    pin = Pin(model, label, int(match[1]), match[2], match[3], match[4])
    return pin if 1 <= pin.epoch <= MAX_EPOCH and _belongs(pin) else None


def _belongs(pin: Pin) -> bool:
    parts = split_id(pin.id)
    if parts is None or parts[0] != pin.model:
        return False
    return pin.digest.removeprefix("sha256:").startswith(parts[1].hexdigits)


def decode_epoch(text: str | bytes | None) -> int:
    """Read the epoch's own value; 0 where it is missing or was overwritten by something else."""
    if text is None or len(text) > 16 or not text.isdigit() or not text.isascii():
        return 0
    return min(int(text), MAX_EPOCH)


def assemble(
    epoch: str | bytes | None,
    texts: Mapping[PinKey, str | bytes | None],
    listed: Collection[PinKey] = (),
) -> Pins:
    """Make the pins out of what was read. `listed` are those that a swap once wrote: without a
    text they are broken, since no swap takes a pin away."""
    pins: dict[PinKey, Pin] = {}
    broken: set[PinKey] = set()
    for key, text in texts.items():
        pin = decode(*key, text) if text is not None else None
        if pin is not None:
            pins[key] = pin
        elif text is not None or key in listed:
            broken.add(key)
    highest = max((pin.epoch for pin in pins.values()), default=0)
    return Pins(max(decode_epoch(epoch), highest), pins, frozenset(broken))

"""How a proxy stands with its store: what the admin listener shows, and a log line for each change
of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from proxy import events
from proxy.fleet.snapshot import Snapshot
from proxy.versions.record import Pin, PinKey, Pins


@dataclass(slots=True)
class Standing:
    """`source` is where the snapshot came from: none, disk or store. `rejected` says by pin why
    what the store holds is not served. `last_contact` is on the clock given; None: never. `tried`
    is set once the store was found or missed."""

    log: FilteringBoundLogger = field(repr=False)
    clock: Callable[[], float] = field(repr=False)
    connected: bool = False
    regressed: bool = False
    source: str = "none"
    rejected: Mapping[PinKey, str] = field(default_factory=dict)
    last_contact: float | None = None
    tried: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def found(self, epoch: int) -> bool:
        """Note that the store answered. Return whether it was away before."""
        self.last_contact = self.clock()
        self.tried.set()
        if self.connected:
            return False
        self.connected = True
        self.log.info(events.STORE_FOUND, epoch=epoch)
        return True

    def lost(self, reason: str) -> None:
        if self.connected or not self.tried.is_set():
            self.connected = False
            self.log.warning(events.STORE_LOST, reason=reason, serving=self.source)
        self.tried.set()

    def judged(self, pins: Pins, rejected: Mapping[PinKey, str]) -> None:
        """Note which pins are not followed; `rejected` gives the reasons' codes."""
        shown = {}
        for key, code in rejected.items():
            pin = pins.pins.get(key)
            shown[key] = f"{pin.id}: {code}" if pin is not None else code
            if self.rejected.get(key) != shown[key]:
                version = pin.id if pin is not None else None
                self.log.error(
                    events.PIN_REJECTED, model=key[0], label=key[1], version=version, reason=code
                )
        self.rejected = shown

    def compared(self, pins: Pins, snapshot: Snapshot) -> None:
        """Notice a store that knows less than we do; it is never followed back."""
        behind = [key for key, held in snapshot.pinned.items() if is_behind(pins, key, held.pin)]
        regressed = pins.epoch < snapshot.epoch or bool(behind)
        if regressed and not self.regressed:
            self.log.error(
                events.STORE_REGRESSED,
                store_epoch=pins.epoch,
                epoch=snapshot.epoch,
                behind=[f"{model}@{label}" for model, label in behind],
            )
        elif self.regressed and not regressed:
            self.log.info(events.STORE_CAUGHT_UP, epoch=pins.epoch)
        self.regressed = regressed

    def problems(self) -> str:
        """Return what the fleet should know, in words; empty: nothing."""
        found = [f"{model}@{label} {why}" for (model, label), why in sorted(self.rejected.items())]
        return "; ".join([*found, "the store is behind"] if self.regressed else found)


def is_behind(pins: Pins, key: PinKey, held: Pin) -> bool:
    """Say whether the store's pin is older than the one that is served, or of the same age and
    another: two stores that were one have parted. A pin that cannot be read is neither."""
    if key in pins.broken:
        return False
    pin = pins.pins.get(key)
    if pin is None or pin.epoch < held.epoch:
        return True
    return pin.epoch == held.epoch and (pin.id, pin.digest) != (held.id, held.digest)

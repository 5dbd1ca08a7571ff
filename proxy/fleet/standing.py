"""How a proxy stands with its store: what the admin listener shows, and a log line for each change
of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy import events
from proxy.fleet.snapshot import Snapshot
from proxy.versions.record import Pin, PinKey, Pins

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

FOLLOWING = "following"
WAITING = "waiting"
"""No pin of this store was read yet."""
BEHIND = "behind"
"""The store knows less than the proxy."""


@dataclass(slots=True)
class Standing:
    """`source` is where the snapshot came from: none, disk or store. `rejected` says by pin why
    what the store holds is not served. `last_contact` is on the clock given; None: never. `tried`
    is set once the store was found or missed. `said` are the reasons told while it is away."""

    log: FilteringBoundLogger = field(repr=False)
    clock: Callable[[], float] = field(repr=False)
    connected: bool = False
    regressed: bool = False
    source: str = "none"
    rejected: Mapping[PinKey, str] = field(default_factory=dict)
    last_contact: float | None = None
    tried: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    said: set[str] = field(default_factory=set, repr=False)

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
        """Note that the store is away. Each reason is said once until it is found: the first is
        often only that a connection broke, the second why there is no other."""
        if self.connected:
            self.connected = False
            self.said.clear()
        if reason not in self.said:
            self.said.add(reason)
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

    def relation(self) -> str:
        """Return how this proxy stands with a store that it can tell so."""
        return BEHIND if self.regressed else FOLLOWING if self.source == "store" else WAITING

    def silent_s(self) -> float | None:
        """Return for how long the store has not answered; None: it never did."""
        return None if self.last_contact is None else round(self.clock() - self.last_contact, 3)

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

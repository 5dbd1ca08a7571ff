"""What it takes to bring a store and its fleet together again. Pure.

A store loses things when it is emptied, restored from an old copy, or fails over to a replica that
was behind; people add things by hand. The rules: nothing that the store holds is changed, a
version comes back under its own number and digest or not at all, and of two pins the one with the
higher epoch counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from proxy.versions.question import Wanted
from proxy.versions.record import Pin, PinKey, Pins


@dataclass(frozen=True, slots=True)
class Copy:
    """Somebody who still holds things. `source` is the member's key or the file's path, `name`
    what people call it. `epoch` and `pins` are what it serves; a folder of sources has none."""

    source: str
    name: str
    versions: tuple[Wanted, ...]
    pins: tuple[Pin, ...] = ()
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What the store holds. `versions` are by model and number, as their records say; `whole` are
    the ids of those whose bytes are there and have their digest; `unrecorded` are the pins that
    the history does not know."""

    pins: Pins
    versions: Mapping[tuple[str, int], Wanted]
    whole: AbstractSet[str]
    unrecorded: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True)
class Restore:
    """Put a version back. `copy` has its bytes."""

    version: Wanted
    copy: Copy


@dataclass(frozen=True, slots=True)
class Repin:
    """Pin what is served already. `held` is what the store has instead; `served_by` are names."""

    pin: Pin
    held: str | None
    served_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What is to be done, in this order, and what cannot be: `remarks` are sentences."""

    restore: tuple[Restore, ...] = ()
    record: tuple[Pin, ...] = ()
    repin: tuple[Repin, ...] = ()
    remarks: tuple[str, ...] = ()
    epoch: int = field(default=0)

    @property
    def is_empty(self) -> bool:
        return not (self.restore or self.record or self.repin)


def plan(found: Found, copies: Iterable[Copy]) -> RepairPlan:
    """Return what brings the store to where the `copies` are. `epoch` is the highest there is."""
    copies = tuple(copies)
    remarks: list[str] = []
    restore = tuple(_restores(found, copies, remarks))
    there = set(found.whole) | {one.version.id for one in restore}
    repin = tuple(_repins(found, copies, there, remarks))
    record = tuple(_records(found, repin, there, remarks))
    epoch = max((found.pins.epoch, *(copy.epoch for copy in copies)), default=0)
    if not repin and epoch > found.pins.epoch:
        repin = tuple(_raising(found, copies, there))
    return RepairPlan(restore, record, repin, tuple(dict.fromkeys(remarks)), epoch)


def _restores(found: Found, copies: Iterable[Copy], remarks: list[str]) -> Iterable[Restore]:
    """Yield the versions that copies hold and the store lacks, in the order of their numbers."""
    wanted: dict[str, Restore] = {}
    for copy in copies:
        for version in copy.versions:
            if version.id in found.whole or version.id in wanted:
                continue
            if obstacle := _obstacle(version, found, wanted.values(), copy):
                remarks.append(obstacle)
            else:
                wanted[version.id] = Restore(version, copy)
    return sorted(wanted.values(), key=lambda one: (one.version.model, one.version.number))


def _obstacle(version: Wanted, found: Found, others: Iterable[Restore], copy: Copy) -> str:
    """Say why a version cannot come back under its number; empty: it can."""
    taken = [*found.versions.values(), *(one.version for one in others)]
    for other in taken:
        if other.model != version.model or other == version:
            continue
        if other.number == version.number or other.digest == version.digest:
            return (
                f"{copy.name} holds {version.id} ({version.digest}), which cannot come back: "
                f"{other.id} has its number or its digest"
            )
    return ""


def _repins(
    found: Found, copies: Iterable[Copy], there: AbstractSet[str], remarks: list[str]
) -> Iterable[Repin]:
    for key, served in sorted(_served(copies).items()):
        newest = max(served, key=lambda one: one[0].epoch)[0]
        held = found.pins.pins.get(key)
        if not _is_ahead(newest, held, key, found.pins):
            continue
        names = tuple(sorted({name for pin, name in served if pin.id == newest.id}))
        if newest.id in there:
            yield Repin(newest, held.id if held else None, names)
        else:
            remarks.append(f"{_label(key)}: {newest.id} is served, and nobody holds its content")
        others = {pin.id for pin, _ in served} - {newest.id}
        if others:
            remarks.append(
                f"{_label(key)}: proxies differ; {newest.id} has the highest epoch and wins over "
                f"{', '.join(sorted(others))}"
            )


def _served(copies: Iterable[Copy]) -> dict[PinKey, list[tuple[Pin, str]]]:
    served: dict[PinKey, list[tuple[Pin, str]]] = {}
    for copy in copies:
        for pin in copy.pins:
            # Epoch 0 was counted by another store: it says nothing about this one.
            if pin.epoch > 0:
                served.setdefault((pin.model, pin.label), []).append((pin, copy.name))
    return served


def _is_ahead(pin: Pin, held: Pin | None, key: PinKey, pins: Pins) -> bool:
    """Say whether the fleet's pin is later than what the store holds, or parted from it."""
    if held is None or key in pins.broken:
        return True
    parted = held.epoch == pin.epoch and (held.id, held.digest) != (pin.id, pin.digest)
    return pin.epoch > held.epoch or parted


def _records(
    found: Found, repin: Iterable[Repin], there: AbstractSet[str], remarks: list[str]
) -> Iterable[Pin]:
    """Yield the pins that were set by hand and stay."""
    going = {(one.pin.model, one.pin.label) for one in repin}
    for pin in found.unrecorded:
        if (pin.model, pin.label) in going:
            continue
        if pin.id in there:
            yield pin
        else:
            remarks.append(
                f"{pin.model} {pin.label}: {pin.id} was set by hand and is not registered"
            )


def _raising(found: Found, copies: Iterable[Copy], there: AbstractSet[str]) -> Iterable[Repin]:
    """Yield one pin that is there, to be written again: the epoch alone is behind."""
    names = tuple(sorted({copy.name for copy in copies if copy.epoch > found.pins.epoch}))
    for _, pin in sorted(found.pins.pins.items()):
        if pin.id in there:
            yield Repin(pin, pin.id, names)
            return


def _label(key: PinKey) -> str:
    return " ".join(key)

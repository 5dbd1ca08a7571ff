"""Bring the store and the fleet together again: look, say what would be done, do it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxy.control.act import Act, PinReport, carry_out
from proxy.control.ask import ask_fleet
from proxy.control.confirm import Wait
from proxy.errors import InvalidArgument, StoreUnsafe, VersionCorrupt, VersionGone
from proxy.fleet.announce import RECENT_EVENTS, is_recorded
from proxy.fleet.last_known_good import read_file
from proxy.fleet.snapshot import Snapshot
from proxy.store.base import Change, Expect, Store
from proxy.versions import identity
from proxy.versions.names import split_id
from proxy.versions.question import (
    CONTENT,
    HOLDINGS,
    Give,
    Given,
    Holdings,
    Wanted,
    answered,
)
from proxy.versions.record import Kind, Member, Pin, Pins, Version, VersionInfo
from proxy.versions.repair import Copy, Found, RepairPlan, Repin, Restore, plan


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found: the plan, and the bytes that files hold, by version id."""

    plan: RepairPlan
    files: dict[str, Version]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """The plan, and what became of it; `pinned` is None where no pin was written."""

    plan: RepairPlan
    applied: bool
    pinned: PinReport | None = None

    def json(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "applied": self.applied,
            "needed": not plan.is_empty,
            "epoch": plan.epoch,
            "restore": [
                {"id": r.version.id, "digest": r.version.digest, "from": r.copy.name}
                for r in plan.restore
            ],
            "record": [_pin_json(pin) for pin in plan.record],
            "repin": [
                {**_pin_json(r.pin), "from": r.held, "served_by": list(r.served_by)}
                for r in plan.repin
            ],
            "remarks": list(plan.remarks),
            "pinned": self.pinned.json() if self.pinned else None,
        }


def _pin_json(pin: Pin) -> dict[str, Any]:
    return {"model": pin.model, "label": pin.label, "id": pin.id, "epoch": pin.epoch}


async def survey(store: Store, files: Sequence[Path] = ()) -> Survey:
    """Compare the store with the live fleet and with last known good `files`; change nothing.

    Raises `InvalidArgument` for a file that cannot be read, and what the store raises.
    """
    kept = {path: _snapshot(path) for path in files}
    copies, silent = await _fleet(store)
    copies += [_copy(str(path), path.name, snapshot) for path, snapshot in kept.items()]
    made = plan(await _found(store, copies), copies)
    remarks = (*made.remarks, *(f"{name} did not say what it holds" for name in silent))
    versions = {v.info.id: v for snapshot in kept.values() for v in _versions(snapshot)}
    return Survey(replace(made, remarks=remarks), versions)


async def repair(store: Store, survey: Survey, act: Act, wait: Wait) -> RepairReport:
    """Do what the survey's plan says. What was done stays done if a later step is refused.

    Raises `VersionGone` if a copy cannot be had any more, `Conflict` if a label changed
    meanwhile, and what the store raises.
    """
    made = survey.plan
    for restore in made.restore:
        version = survey.files.get(restore.version.id) or await _given(store, restore)
        own = f"{act.operation}.{restore.version.id}"
        await store.restore(version, by=act.by, operation=own[:128])
    for pin in made.record:
        own = f"{act.operation}.{pin.model}.{pin.label}"
        await store.record(pin, by=act.by, operation=own[:128])
    if not made.repin:
        return RepairReport(made, applied=True)
    pins = await store.pins()
    changes = [_change(one, pins) for one in made.repin]
    pinned = await carry_out(store, changes, act, wait, floor=made.epoch)
    return RepairReport(made, applied=True, pinned=pinned)


async def _fleet(store: Store) -> tuple[list[Copy], list[str]]:
    """Return what the live proxies hold, and the names of those that did not answer."""
    members = [member for member in await store.members() if member.live]
    answers = await ask_fleet(store, HOLDINGS, None, members)
    copies, silent = [], []
    for member in members:
        held = answered(answers.get(member.key, b""), Holdings)
        if held is None:
            silent.append(member.name)
        else:
            copies.append(Copy(member.key, member.name, held.versions, held.pins, held.epoch))
    return copies, silent


def _snapshot(path: Path) -> Snapshot:
    snapshot = read_file(path)
    if snapshot is None:
        raise InvalidArgument(
            f"{path} is no last known good that can be used",
            hint="it is last-known-good.json in a proxy's state directory",
        )
    return snapshot


def _copy(source: str, name: str, snapshot: Snapshot) -> Copy:
    versions = tuple(wanted(version.info) for version in _versions(snapshot))
    pins = tuple(item.pin for item in snapshot.pinned.values())
    return Copy(source, name, versions, pins, snapshot.epoch)


def _versions(snapshot: Snapshot) -> Iterable[Version]:
    yield from (item.served.version for item in snapshot.pinned.values())
    yield from (served.version for served in snapshot.holders)


def wanted(info: VersionInfo) -> Wanted:
    return Wanted(info.model, info.number, info.id, info.digest)


async def _found(store: Store, copies: Iterable[Copy]) -> Found:
    pins = await store.pins()
    held = {version.id: version for copy in copies for version in copy.versions}
    models = {*await store.models(), *(v.model for v in held.values())}
    known = [wanted(info) for model in sorted(models) for info in await store.versions(model)]
    asked = held.keys() | {pin.id for pin in pins.pins.values()}
    whole = {one.id for one in known if one.id in asked and await _is_whole(store, one)}
    unrecorded = [pin for pin in pins.pins.values() if not await _is_recorded(store, pin)]
    versions = {(one.model, one.number): one for one in known}
    return Found(pins, versions, whole, tuple(unrecorded))


async def _is_whole(store: Store, version: Wanted) -> bool:
    try:
        stored = await store.version(version.model, version.number)
    except StoreUnsafe:
        return False
    return stored is not None and identity.digest(stored.content) == version.digest


async def _is_recorded(store: Store, pin: Pin) -> bool:
    return is_recorded(pin, await store.history(pin.model, RECENT_EVENTS))


async def _given(store: Store, restore: Restore) -> Version:
    """Get a version's bytes from the proxy that holds them."""
    key, name = restore.copy.source, restore.copy.name
    member = Member(name, 0, {}, instance=key.removeprefix(name).removeprefix("/"))
    answers = await ask_fleet(store, CONTENT, Give(key, restore.version), [member])
    given = answered(answers.get(key, b""), Given)
    if given is None or wanted(given.info) != restore.version:
        raise VersionGone(
            f"{name} does not give {restore.version.id}",
            hint="run it again: another proxy may hold it",
        )
    content = given.content.encode()
    if identity.digest(content) != restore.version.digest:
        raise VersionCorrupt()
    return Version(given.info, content)


def _change(repin: Repin, pins: Pins) -> Change:
    pin = repin.pin
    parts = split_id(pin.id)
    assert parts is not None  # a proxy serves nothing else, and a plan has what is registered
    broken = (pin.model, pin.label) in pins.broken
    expect = None if broken else Expect(repin.held)
    return Change(pin.model, pin.label, pin.id, pin.digest, expect=expect, kind=Kind.REPAIR)

"""Keeping a proxy's snapshot true: follow the store, verify, swap, report, save.

Push tells and poll makes sure; both are the store's business (`Store.watch`). Here every read of
the pins is compared with what is served. Whatever cannot be verified is not served: the snapshot
keeps what it has, and says so once for each change of state. An epoch never goes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from proxy import events
from proxy.errors import CommandError, RequestError, StoreUnavailable, UnknownVersionAsked
from proxy.fleet import last_known_good
from proxy.fleet.snapshot import Pinned, Served, Snapshot, make_ready
from proxy.routing.address import Address
from proxy.store.base import Store
from proxy.versions.names import ByNumber, split_id
from proxy.versions.record import Member, Pin, PinKey, Pins

# The data listener opens after the first attempt at a snapshot, at most this much later.
FIRST_ATTEMPT_S = 1.0

# Reconnecting: full jitter up to a second, so that a fleet does not come back all at once.
SHORTEST_BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 1.0

# A model that was registered but never pinned is known by name this soon.
MODELS_EVERY_S = 2.0

REPORT_EVERY_S = 1.0
REPORT_DEADLINE_S = 2.0


@dataclass(slots=True)
class State:
    """How the follower stands with the store; shown by the admin listener."""

    connected: bool = False
    regressed: bool = False
    source: str = "none"
    rejected: dict[PinKey, str] = field(default_factory=dict)
    last_contact: float = 0.0


class Follower:
    """Holds `snapshot` and keeps it true until `run` is cancelled."""

    def __init__(
        self,
        store: Store,
        *,
        member: Member,
        directory: Path,
        log: FilteringBoundLogger,
        clock: Callable[[], float],
        explicit_versions: int,
    ) -> None:
        self.snapshot = Snapshot()
        self.state = State()
        self.changed = asyncio.Event()
        self._store = store
        self._member = member
        self._directory = directory
        self._log = log
        self._clock = clock
        self._explicit: dict[str, Served] = {}
        self._explicit_limit = explicit_versions
        self._held: set[PinKey] = set()
        self._models_read = 0.0
        self._tried = asyncio.Event()
        self._save = asyncio.Event()
        self._report = asyncio.Event()

    @property
    def name(self) -> str:
        """The name under which this proxy reports itself to the fleet."""
        return self._member.name

    # --- for the gateway

    def find(self, address: Address) -> Served | None:
        """Return an explicit version that is held, or None. Raises `UnknownVersionAsked`."""
        reference = address.reference
        assert isinstance(reference, ByNumber)
        for pinned in self.snapshot.pinned.values():
            if pinned.pin.model == address.model and _is(pinned.served, reference):
                return pinned.served
        held = self._explicit.get(f"{address.model}-v{reference.number}")
        if held is not None and not _is(held, reference):
            raise UnknownVersionAsked()
        return held

    async def fetch(self, address: Address) -> Served:
        """Get an explicit version from the store and hold it.

        Raises `StoreUnavailable`, `UnknownVersionAsked`, `VersionCorrupt`, `WrongDialect`.
        """
        reference = address.reference
        assert isinstance(reference, ByNumber)
        version = await self._store.version(address.model, reference.number)
        if version is None:
            raise UnknownVersionAsked()
        served = make_ready(version)
        if not _is(served, reference):
            raise UnknownVersionAsked()
        if len(self._explicit) >= self._explicit_limit:
            self._explicit.pop(next(iter(self._explicit)))
        self._explicit[f"{address.model}-v{reference.number}"] = served
        return served

    # --- running

    async def start(self) -> None:
        """Get a first snapshot: from the store, else from disk, else none; within a second.

        `run` must be running beside it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ATTEMPT_S):
                await self._tried.wait()
        if not self.snapshot.loaded:
            await self._load()

    async def run(self) -> None:
        """Follow the store for ever, reconnecting as often as needed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._keep_reporting())
            group.create_task(self._keep_saving())

    async def leave(self) -> None:
        """Give up the lease: a proxy that left is not missed."""
        with contextlib.suppress(RequestError, CommandError, TimeoutError):
            async with asyncio.timeout(REPORT_DEADLINE_S):
                await self._store.leave(self._member.name)

    def drain(self) -> None:
        """Report as draining: such a proxy takes no new requests, so no pin waits for it."""
        self._member = replace(self._member, state="draining")
        self._report.set()

    async def _follow(self) -> None:
        failures = 0
        while True:
            try:
                async for pins in self._store.watch(self._held):
                    await self._apply(pins)
                    self._contact()
                    failures = 0
            except StoreUnavailable as error:
                self._lost(error.message)
            except (RequestError, CommandError) as error:
                self._lost(error.code)
            self._tried.set()
            failures += 1
            cap = min(LONGEST_BACKOFF_S, SHORTEST_BACKOFF_S * 2**failures)
            await asyncio.sleep(random.uniform(0, cap))  # noqa: S311  # jitter, not a secret

    def _contact(self) -> None:
        self.state.last_contact = self._clock()
        if not self.state.connected:
            self.state.connected = True
            self._log.info(events.STORE_FOUND, epoch=self.snapshot.epoch)
        self._tried.set()

    def _lost(self, reason: str) -> None:
        if self.state.connected or not self._tried.is_set():
            self.state.connected = False
            self._log.warning(events.STORE_LOST, reason=reason, serving=self.state.source)

    async def _apply(self, pins: Pins) -> None:
        """Bring the snapshot to `pins`, as far as they can be verified."""
        models = await self._models(pins)
        before = self.snapshot
        pinned = dict(before.pinned)
        for key, pin in pins.pins.items():
            if (made := await self._made(key, pin)) is not None:
                pinned[key] = made
        self._regressed(pins)
        if models is None and pinned == dict(before.pinned) and before.loaded:
            return
        epoch = max(pins.epoch, before.epoch)
        self.snapshot = Snapshot.of(epoch, pinned, before.models if models is None else models)
        self.state.source = "store"
        self._held.update(pinned)
        self._announce(before)

    async def _models(self, pins: Pins) -> frozenset[str] | None:
        """Return the registered names if they may have changed: None if they were just read."""
        now = self._clock()
        same = pins.epoch == self.snapshot.epoch and self.state.source == "store"
        if same and now < self._models_read + MODELS_EVERY_S:
            return None
        self._models_read = now
        models = frozenset(await self._store.models())
        return None if same and models == self.snapshot.models else models

    async def _made(self, key: PinKey, pin: Pin) -> Pinned | None:
        """Return the pin made ready to serve; None if what is served already must stay."""
        held = self.snapshot.pinned.get(key)
        if held is not None and (pin == held.pin or pin.epoch <= held.pin.epoch):
            self.state.rejected.pop(key, None)
            return None
        if held is not None and held.pin.digest == pin.digest and held.pin.id == pin.id:
            return Pinned(pin, held.served)
        try:
            served = await self._verified(pin)
        except StoreUnavailable:
            raise
        except RequestError as error:
            self._reject(key, pin, error.code)
            return None
        self.state.rejected.pop(key, None)
        return Pinned(pin, served)

    async def _verified(self, pin: Pin) -> Served:
        full = split_id(pin.id)
        if full is None or full[0] != pin.model:
            raise UnknownVersionAsked()
        version = await self._store.version(pin.model, full[1].number)
        if version is None or version.info.id != pin.id or version.info.digest != pin.digest:
            raise UnknownVersionAsked()
        return make_ready(version)

    def _reject(self, key: PinKey, pin: Pin, code: str) -> None:
        reason = f"{pin.id}: {code}"
        if self.state.rejected.get(key) != reason:
            self.state.rejected[key] = reason
            self._log.error(
                events.PIN_REJECTED, model=key[0], label=key[1], version=pin.id, reason=code
            )

    def _regressed(self, pins: Pins) -> None:
        """Notice a store that knows less than we do; it is never followed back."""
        held = self.snapshot.pinned
        lost = [key for key in held if _is_behind(pins, key, held[key])]
        regressed = pins.epoch < self.snapshot.epoch or bool(lost)
        if regressed and not self.state.regressed:
            self._log.error(
                events.STORE_REGRESSED,
                store_epoch=pins.epoch,
                epoch=self.snapshot.epoch,
                behind=[f"{model}@{label}" for model, label in lost],
            )
        self.state.regressed = regressed

    def _announce(self, before: Snapshot) -> None:
        for key, item in self.snapshot.pinned.items():
            old = before.pinned.get(key)
            if old is None or old.pin != item.pin:
                self._log.info(
                    events.PIN_CHANGED,
                    model=key[0],
                    label=key[1],
                    version=item.served.id,
                    previous=old.served.id if old else None,
                    epoch=item.pin.epoch,
                )
        self._report.set()
        self._save.set()
        self.changed.set()

    # --- reporting and saving

    async def _keep_reporting(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPORT_EVERY_S):
                    await self._report.wait()
            self._report.clear()
            member = replace(
                self._member, epoch=self.snapshot.epoch, versions=self.snapshot.serving()
            )
            with contextlib.suppress(RequestError, CommandError, TimeoutError):
                async with asyncio.timeout(REPORT_DEADLINE_S):
                    await self._store.report(member)

    async def _keep_saving(self) -> None:
        while True:
            await self._save.wait()
            self._save.clear()
            try:
                await asyncio.to_thread(last_known_good.write, self._directory, self.snapshot)
            except OSError as error:
                self._log.error(events.SNAPSHOT_NOT_SAVED, reason=type(error).__name__)

    async def _load(self) -> None:
        snapshot = await asyncio.to_thread(last_known_good.read, self._directory)
        if snapshot is not None and not self.snapshot.loaded:
            self.snapshot = snapshot
            self.state.source = "disk"
            self._held.update(snapshot.pinned)
            self._log.warning(
                events.SNAPSHOT_LOADED, epoch=snapshot.epoch, versions=snapshot.serving()
            )


def _is_behind(pins: Pins, key: PinKey, held: Pinned) -> bool:
    return key not in pins.pins or pins.pins[key].epoch < held.pin.epoch


def _is(served: Served, reference: ByNumber) -> bool:
    """Say whether `served` is what was referred to; hex digits, if given, must fit its digest."""
    info = served.version.info
    hexdigits = info.digest.removeprefix("sha256:")
    return info.number == reference.number and hexdigits.startswith(reference.hexdigits)

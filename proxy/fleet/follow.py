"""Keeping a proxy's snapshot true: follow the store, verify, swap, report, save.

Push tells and poll makes sure; both are the store's business (`Store.watch`). Here every read of
the pins is compared with what is served. Whatever cannot be verified is not served: the snapshot
keeps what it has, and says so once for each change of state. An epoch never goes back, not even
over a restart: what was served last is read from disk before the store is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from proxy import events
from proxy.errors import (
    ProxyError,
    RequestError,
    StoreUnavailable,
    StoreUnsafe,
    UnknownVersionAsked,
    VersionCorrupt,
)
from proxy.fleet.explicit import Explicit
from proxy.fleet.last_known_good import LastKnownGood
from proxy.fleet.report import Reporter
from proxy.fleet.save import Saver
from proxy.fleet.snapshot import Pinned, Served, Snapshot, ready
from proxy.fleet.standing import Standing
from proxy.routing.address import Address
from proxy.store.base import Store
from proxy.versions.names import split_id
from proxy.versions.record import Member, Pin, PinKey, Pins

# The data listener opens after the first attempt at a snapshot, at most this much later.
FIRST_ATTEMPT_S = 1.0

# Reconnecting: full jitter up to a second, so that a fleet does not come back all at once.
SHORTEST_BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 1.0

# A model that was registered but never pinned is known by name this soon.
MODELS_EVERY_S = 2.0

# A pin that could not be followed is tried again this often: its version may come later.
REFUSED_FOR_S = 1.0

# A pin is looked for among this many of its model's latest events.
RECENT_EVENTS = 64

UNREADABLE = "unreadable"
"""Why a pin is not followed that is gone, or whose text is none."""


@dataclass(frozen=True, slots=True)
class _Refused:
    pin: Pin
    reason: str
    until: float


class Follower:
    """Holds `snapshot` and keeps it true until `run` is cancelled."""

    def __init__(
        self,
        store: Store,
        *,
        member: Member,
        disk: LastKnownGood,
        log: FilteringBoundLogger,
        clock: Callable[[], float],
        explicit_versions: int,
    ) -> None:
        self.snapshot = Snapshot()
        self.changed = asyncio.Event()
        self.state = Standing(log, clock)
        self.reporter = Reporter(store, member, log=log, clock=clock)
        self.saver = Saver(disk, log)
        self._store = store
        self._log = log
        self._clock = clock
        self._explicit = Explicit(store, explicit_versions)
        self._held: set[PinKey] = set()
        self._refused: dict[PinKey, _Refused] = {}
        self._models_due = clock()
        self._seen: Pins | None = None

    # --- for the gateway

    def find(self, address: Address) -> Served | None:
        """Return an explicit version that is held, or None. Raises `UnknownVersionAsked`."""
        return self._explicit.find(address, self.snapshot)

    async def fetch(self, address: Address) -> Served:
        """Get an explicit version from the store and hold it. Raises as `Explicit.fetch`."""
        return await self._explicit.fetch(address)

    # --- running

    async def start(self) -> None:
        """Wait for a first snapshot, from the store or from disk, or for the first failure to get
        one; a second at most. `run` must be running beside it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ATTEMPT_S):
                await self.state.tried.wait()

    async def run(self) -> None:
        """Follow the store for ever, reconnecting as often as needed."""
        self._begin_with(await self.saver.load())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self.reporter.run(self._described))
            group.create_task(self.saver.run(lambda: self.snapshot))

    def _begin_with(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            self.snapshot = snapshot
            self.state.source = "disk"
            self._held.update(snapshot.pinned)
            serving = snapshot.serving()
            self._log.info(events.SNAPSHOT_LOADED, epoch=snapshot.epoch, versions=serving)

    def _described(self, member: Member) -> Member:
        return replace(
            member,
            epoch=self.snapshot.epoch,
            versions=self.snapshot.serving(),
            detail=self.state.problems(),
        )

    async def _follow(self) -> None:
        failures = 0
        while True:
            before = self.state.last_contact
            self.state.lost(await self._follow_until_lost())
            failures = failures + 1 if self.state.last_contact == before else 1
            cap = min(LONGEST_BACKOFF_S, SHORTEST_BACKOFF_S * 2**failures)
            await asyncio.sleep(random.uniform(0, cap))  # noqa: S311  # jitter, not a secret

    async def _follow_until_lost(self) -> str:
        """Follow the store; return why that ended."""
        try:
            async with aclosing(self._store.watch(self._held)) as watched:
                async for pins in watched:
                    await self._apply(pins)
                    if self.state.found(self.snapshot.epoch):
                        self.reporter.soon()
        except ProxyError as error:
            return error.message
        except Exception as error:
            # Whatever an answer did to our code: what is held is served on, and the next one read.
            return f"the store's answer led to {type(error).__name__}"
        return "the store ended the watch"

    # --- one look at the pins

    async def _apply(self, pins: Pins) -> None:
        """Bring the snapshot to `pins`, as far as they can be verified."""
        if self._is_news(pins):
            await self._take(pins)
            self._seen = pins

    def _is_news(self, pins: Pins) -> bool:
        """Say whether there is anything to do: a store that did not change gives the same pins."""
        due = self.state.rejected or self._clock() >= self._models_due
        return pins is not self._seen or bool(due)

    async def _take(self, pins: Pins) -> None:
        made: dict[PinKey, Pinned] = {}
        rejected = dict.fromkeys(pins.broken, UNREADABLE)
        for key, pin in pins.pins.items():
            judged = await self._judge(key, pin)
            if isinstance(judged, Pinned):
                made[key] = judged
            elif judged is not None:
                rejected[key] = judged
        models = await self._models()
        before = self.snapshot
        pinned = {**kept(before.pinned, pins), **made}
        after = Snapshot.of(max(before.epoch, reached(pins, made, rejected)), pinned, models)
        self.state.judged(pins, rejected)
        self.state.compared(pins, after)
        self.state.source = "store"
        if after != before:
            self._swap(after)
            await self._announce(before, made)

    def _swap(self, after: Snapshot) -> None:
        self.snapshot = after
        self._held.update(after.pinned)
        self.reporter.soon()
        self.saver.soon()
        self.changed.set()

    async def _judge(self, key: PinKey, pin: Pin) -> Pinned | str | None:
        """Return the pin made ready to serve, or why it is rejected; None: nothing changes."""
        held = self.snapshot.pinned.get(key)
        if held is not None and pin.epoch <= held.pin.epoch:
            return None
        if held is not None and (pin.id, pin.digest) == (held.pin.id, held.pin.digest):
            return Pinned(pin, held.served)
        refused = self._refused.get(key)
        if refused is not None and refused.pin == pin and self._clock() < refused.until:
            return refused.reason
        judged = await self._verified(pin)
        self._refused.pop(key, None)
        if isinstance(judged, str):
            self._refused[key] = _Refused(pin, judged, self._clock() + REFUSED_FOR_S)
            return judged
        return Pinned(pin, judged)

    async def _verified(self, pin: Pin) -> Served | str:
        """Return what `pin` names, or the code of what is wrong with it."""
        try:
            return await self._fetched(pin)
        except StoreUnavailable:
            raise
        except (RequestError, StoreUnsafe) as error:
            return error.code
        except Exception as error:
            # A version that our own code cannot bear must not end the following of all others.
            return type(error).__name__

    async def _fetched(self, pin: Pin) -> Served:
        full = split_id(pin.id)
        if full is None or full[0] != pin.model:
            raise UnknownVersionAsked()
        version = await self._store.version(pin.model, full[1].number)
        if version is None or version.info.id != pin.id:
            raise UnknownVersionAsked()
        if version.info.digest != pin.digest:
            raise VersionCorrupt()
        return await ready(version)

    async def _models(self) -> frozenset[str]:
        """Return the registered names, as of a moment ago."""
        if self._clock() < self._models_due:
            return self.snapshot.models
        models = frozenset(await self._store.models())
        self._models_due = self._clock() + MODELS_EVERY_S
        return models

    async def _announce(self, before: Snapshot, made: Mapping[PinKey, Pinned]) -> None:
        for key, item in made.items():
            old = before.pinned.get(key)
            self._log.info(
                events.PIN_CHANGED,
                model=key[0],
                label=key[1],
                version=item.served.id,
                previous=old.served.id if old else None,
                epoch=item.pin.epoch,
                unrecorded=await self._is_unrecorded(item.pin) if before.loaded else None,
            )

    async def _is_unrecorded(self, pin: Pin) -> bool | None:
        """Say whether `pin` was set by hand, past the history; None if the store does not say."""
        try:
            known = await self._store.history(pin.model, RECENT_EVENTS)
        except ProxyError:
            return None
        wanted = (pin.operation, pin.epoch, pin.label, pin.id)
        return wanted not in {(one.operation, one.epoch, one.label, one.version) for one in known}


def reached(pins: Pins, made: Mapping[PinKey, Pinned], rejected: Mapping[PinKey, str]) -> int:
    """Return the epoch up to which `pins` could be followed: not that of a rejected pin."""
    return max((item.pin.epoch for item in made.values()), default=0) if rejected else pins.epoch


def kept(held: Mapping[PinKey, Pinned], pins: Pins) -> dict[PinKey, Pinned]:
    """Return what is served on. A pin that the store lost is; one that another store had (its
    epoch is 0) only until this store shows that it has pins of its own."""
    return {
        key: item
        for key, item in held.items()
        if item.pin.epoch or key in pins.pins or key in pins.broken or not pins.pins
    }

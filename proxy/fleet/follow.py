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
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy import events
from proxy.errors import ProxyError
from proxy.fleet.announce import Announcer
from proxy.fleet.conversations import Conversations
from proxy.fleet.drills import Drills
from proxy.fleet.fitness import ALWAYS_FIT, Fit
from proxy.fleet.held import Held
from proxy.fleet.judge import Judge
from proxy.fleet.last_known_good import LastKnownGood
from proxy.fleet.report import Reporter
from proxy.fleet.respond import Respondent
from proxy.fleet.save import Saver
from proxy.fleet.snapshot import Pinned, Served, Snapshot, former
from proxy.fleet.standing import Standing
from proxy.routing.address import Address
from proxy.store.base import Store
from proxy.versions.question import Live
from proxy.versions.record import Member, PinKey, Pins

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# The data listener opens after the first attempt at a snapshot, at most this much later.
FIRST_ATTEMPT_S = 1.0
# With last known good at hand a store that is silent is not worth as much: apps are waiting.
FIRST_LOOK_S = 0.3

# Reconnecting: half of the wait is jitter, so that a fleet does not come back all at once, and is
# back within a second all the same.
SHORTEST_BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 0.5

# A model that was registered but never pinned is known by name this soon.
MODELS_EVERY_S = 2.0

UNREADABLE = "unreadable"
"""Why a pin is not followed that is gone, or whose text is none."""


class Follower:
    """Holds `snapshot` and keeps it true until `run` is cancelled.

    `fit` says whether this proxy could serve a version. Whoever answers requests may set `older`,
    how many of them are still answered by versions that no label holds any more, and `live`, what
    was asked for without a version.
    """

    def __init__(
        self,
        store: Store,
        *,
        member: Member,
        disk: LastKnownGood,
        log: FilteringBoundLogger,
        clock: Callable[[], float],
        explicit_versions: int,
        fit: Fit = ALWAYS_FIT,
    ) -> None:
        self.snapshot = Snapshot()
        self.changed = asyncio.Event()
        self.state = Standing(log, clock)
        self.reporter = Reporter(store, member, log=log, clock=clock)
        self.saver = Saver(disk, log, fit.dialects)
        self.older: Callable[[], int] = lambda: 0
        self.live: Callable[[], Live] = Live
        self._store = store
        self._log = log
        self._clock = clock
        self._held = Held(store, explicit_versions, fit.dialects)
        self._judge = Judge(self._held, clock)
        self._respondent = Respondent(
            store,
            member.key,
            judge=self._judge,
            held=self._held,
            snapshot=lambda: self.snapshot,
            fit=fit,
            live=lambda: self.live(),
        )
        self._announcer = Announcer(store, log)
        self.drills = Drills(store, log)
        self.conversations = Conversations(store, clock, fit.dialects)
        self._began = asyncio.Event()
        self._followed: set[PinKey] = set()
        self._models_due = clock()
        self._seen: Pins | None = None

    # --- for the gateway

    def find(self, address: Address) -> Served | None:
        """Return an explicit version that is held, or None. Raises `UnknownVersionAsked`."""
        return self._held.find(address, self.snapshot)

    async def fetch(self, address: Address) -> Served:
        """Get an explicit version from the store and hold it. Raises as `Held.fetch`."""
        return await self._held.fetch(address)

    # --- running

    async def start(self) -> None:
        """Wait for a first snapshot from the store, or for the first failure to get one: a second
        at most, and a third of it if there is one from disk. `run` must be running beside it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ATTEMPT_S) as limit:
                await self._began.wait()
                if self.snapshot.loaded:
                    limit.reschedule(asyncio.get_running_loop().time() + FIRST_LOOK_S)
                await self.state.tried.wait()

    def continue_with(self, snapshot: Snapshot, source: str) -> None:
        """Begin with what another follower of this process holds, instead of what is on disk."""
        self.snapshot = snapshot
        self.state.source = source
        self._followed.update(snapshot.pinned)

    async def run(self) -> None:
        """Follow the store for ever, reconnecting as often as needed."""
        if not self.snapshot.loaded:
            self._begin_with(await self.saver.load())
        self._began.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self.reporter.run(self._described))
            group.create_task(self.saver.run(lambda: self.snapshot))
            group.create_task(self._respondent.run())
            group.create_task(self._announcer.run())
            group.create_task(self.drills.run())
            group.create_task(self.conversations.run())

    def _begin_with(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            self.continue_with(snapshot, "disk")
            serving = snapshot.serving()
            self._log.info(events.SNAPSHOT_LOADED, epoch=snapshot.epoch, versions=serving)

    def _described(self, member: Member) -> Member:
        return replace(
            member,
            epoch=self.snapshot.epoch,
            versions=self.snapshot.serving(),
            detail=self.state.problems(),
            store=self.state.relation(),
            contact_s=self.state.silent_s(),
            older=self.older(),
            rejected=tuple(f"{model}@{label}" for model, label in sorted(self.state.rejected)),
        )

    async def _follow(self) -> None:
        failures = 0
        while True:
            before = self.state.last_contact
            self.state.lost(await self._follow_until_lost())
            failures = failures + 1 if self.state.last_contact == before else 1
            cap = min(LONGEST_BACKOFF_S, SHORTEST_BACKOFF_S * 2**failures)
            await asyncio.sleep(random.uniform(cap / 2, cap))  # noqa: S311  # jitter, not a secret

    async def _follow_until_lost(self) -> str:
        """Follow the store; return why that ended."""
        try:
            async with aclosing(self._store.watch(self._followed)) as watched:
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
        self._respondent.noticed(pins.questions)
        if self._clock() >= self._models_due:
            await self._look_for_models()

    def _is_news(self, pins: Pins) -> bool:
        """Say whether there is anything to do: a store that did not change gives the same pins."""
        seen = self._seen
        changed = pins is not seen and (seen is None or pins != seen or pins.former != seen.former)
        return bool(self.state.rejected) or changed

    async def _take(self, pins: Pins) -> None:
        # Before anything is awaited: a version that was rolled back goes on with nothing.
        self.conversations.told(pins.former, self.snapshot)
        made: dict[PinKey, Pinned] = {}
        rejected = dict.fromkeys(pins.broken, UNREADABLE)
        for key, pin in pins.pins.items():
            judged = await self._judge.judge(key, pin, self.snapshot)
            if isinstance(judged, Pinned):
                made[key] = judged
            elif judged is not None:
                rejected[key] = judged
        before = self.snapshot
        after = swapped(before, pins, made, rejected)
        self.state.judged(pins, rejected)
        self.state.compared(pins, after)
        self.state.source = "store"
        if after != before:
            self._swap(after)
            self._announcer.switched(before, made)

    def _swap(self, after: Snapshot) -> None:
        self.snapshot = after
        self._followed.update(after.pinned)
        self.reporter.soon()
        self.saver.soon()
        self.changed.set()

    async def _look_for_models(self) -> None:
        """Take the registered names over: after the pins, since nobody waits for a name."""
        models = frozenset(await self._store.models())
        self._models_due = self._clock() + MODELS_EVERY_S
        now = self.snapshot
        after = Snapshot.of(now.epoch, now.pinned, models, now.holders)
        if after.models != now.models:
            self._swap(after)


def swapped(
    before: Snapshot,
    pins: Pins,
    made: Mapping[PinKey, Pinned],
    rejected: Mapping[PinKey, str],
) -> Snapshot:
    """Return the snapshot after `before`, with the pins in `made` and without a step back."""
    pinned = {**kept(before.pinned, pins), **made}
    epoch = max(before.epoch, reached(pins, made, rejected))
    return Snapshot.of(epoch, pinned, before.models, former(before, pinned))


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

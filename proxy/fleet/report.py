"""Telling the fleet: this proxy's lease in the store, renewed with what it serves.

A proxy without a lease serves all the same, but no pin waits for it: that has to be noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy import events
from proxy.errors import ProxyError
from proxy.store.base import LEASE_S, Store
from proxy.versions.record import DRAINING, Member

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

REPORT_EVERY_S = 1.0
_JITTER = 0.2  # as a share: a fleet that switched together does not renew together

# A proxy that stops does not wait long for a store that is away.
LEAVE_S = 0.5


class Reporter:
    """Keeps one proxy's lease while `run` runs. `leased` is whether the fleet can see it."""

    def __init__(
        self,
        store: Store,
        member: Member,
        *,
        log: FilteringBoundLogger,
        clock: Callable[[], float],
    ) -> None:
        self.leased = False
        self._store = store
        self._member = member
        self._log = log
        self._clock = clock
        self._due = asyncio.Event()
        self._renewed = clock()
        self._lapsed = False
        self._seen = asyncio.Event()

    @property
    def name(self) -> str:
        return self._member.name

    @property
    def instance(self) -> str:
        return self._member.instance

    @property
    def state(self) -> str:
        """What the fleet is told that this proxy does."""
        return self._member.state

    async def reported(self) -> None:
        """Wait until the fleet can see this proxy."""
        await self._seen.wait()

    def soon(self) -> None:
        """Report without waiting for the next turn: what is served has changed."""
        self._due.set()

    def drain(self) -> None:
        """Report as draining: such a proxy takes no new requests, so no pin waits for it."""
        self._member = replace(self._member, state=DRAINING)
        self.soon()

    async def run(self, fill: Callable[[Member], Member]) -> None:
        """Report for ever what `fill` makes of this proxy's entry."""
        loop = asyncio.get_running_loop()
        while True:
            pause_s = REPORT_EVERY_S * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
            turn = loop.call_later(pause_s, self._due.set)
            try:
                await self._due.wait()
            finally:
                turn.cancel()
            self._due.clear()
            await self._report(fill(self._member))

    async def leave(self) -> None:
        """Give up the lease: a proxy that left is not missed."""
        with contextlib.suppress(ProxyError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._store.leave(self._member.key)

    async def _report(self, member: Member) -> None:
        """The store has a deadline of its own."""
        try:
            await self._store.report(member)
        except ProxyError as error:
            self._failed(error.message)
        else:
            self._succeeded()

    def _failed(self, reason: str) -> None:
        if self._lapsed or self._clock() - self._renewed < LEASE_S:
            return
        self._lapsed, self.leased = True, False
        self._log.warning(events.LEASE_LAPSED, reason=reason)

    def _succeeded(self) -> None:
        self._renewed = self._clock()
        self.leased = True
        self._seen.set()
        if self._lapsed:
            self._lapsed = False
            self._log.info(events.LEASE_RENEWED)

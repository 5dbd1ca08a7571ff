"""Deadlines of many connections by one timer.

A timer of its own for each wait costs microseconds a request; a sweep over all connections ten
times a second costs less, and no deadline here needs to be kept to better than that.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

TICK_S = 0.1

NEVER = float("inf")


class Waiting(Protocol):
    """Something that waits until `deadline`, a time of the event loop's clock."""

    deadline: float

    def expire(self, now: float) -> None:
        """The deadline has passed. Called again at the next tick unless it was moved."""


class Deadlines:
    """Watches everything that was added, until it is removed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: set[Waiting] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiting: Waiting) -> None:
        self._waiting.add(waiting)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def remove(self, waiting: Waiting) -> None:
        self._waiting.discard(waiting)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()

    def _tick(self) -> None:
        now = self._loop.time()
        for waiting in [item for item in self._waiting if item.deadline <= now]:
            waiting.expire(now)
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._waiting else None

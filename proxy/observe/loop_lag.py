"""How long the event loop kept everybody waiting: nothing may block it, and if something does, that
must be seen. A timer on the loop says by how much it came late, which costs next to nothing and
needs no thread. It sees its own process stopped or starved as well: for apps that is the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from proxy import events
from proxy.observe.stats import Stats

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

EVERY_S = 0.25

# A hundredth of it would be a mistake of ours already; a line in the log is for what apps feel.
BLOCKED_S = 1.0

# Whoever reads the metrics at least this often misses no block, however many do.
SHOWN_FOR_S = 60.0


class LoopLag:
    """Keeps `stats.loop_lag_s`, the longest lag of the last one to two minutes, until `close`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, stats: Stats, log: FilteringBoundLogger
    ) -> None:
        self._loop = loop
        self._stats = stats
        self._log = log
        self._before_s = self._now_s = 0.0
        self._turn = loop.time() + SHOWN_FOR_S
        self._schedule()

    def close(self) -> None:
        self._timer.cancel()

    def _schedule(self) -> None:
        self._due = self._loop.time() + EVERY_S
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        self.note(now, max(0.0, now - self._due))
        self._schedule()

    def note(self, now: float, lag_s: float) -> None:
        """Take a lag that was measured at `now`, on the loop's clock."""
        if now >= self._turn:
            self._before_s = self._now_s if now < self._turn + SHOWN_FOR_S else 0.0
            self._now_s, self._turn = 0.0, now + SHOWN_FOR_S
        self._now_s = max(self._now_s, lag_s)
        self._stats.loop_lag_s = max(self._before_s, self._now_s)
        if lag_s >= BLOCKED_S:
            self._log.error(events.LOOP_BLOCKED, blocked_s=round(lag_s, 3))

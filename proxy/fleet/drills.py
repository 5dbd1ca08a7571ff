"""The last drill of each model, as this proxy knows it: for its admin listener and its log.

Read from the store once a minute, beside everything else: nobody waits for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from proxy import events
from proxy.store.base import Store
from proxy.versions.evidence import Drill

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LOOK_EVERY_S = 60.0
RETRY_S = 10.0
DEADLINE_S = 2.0


def _now() -> datetime:
    return datetime.now(UTC)


class Drills:
    """Keeps `known`, by model, while `run` runs. A store that has none to tell leaves it as it
    is."""

    def __init__(
        self,
        store: Store,
        log: FilteringBoundLogger,
        *,
        every_s: float = LOOK_EVERY_S,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.known: Mapping[str, Drill] = {}
        self._store = store
        self._log = log
        self._every_s = every_s
        self._now = now
        self._looked = False

    def age_s(self, drill: Drill) -> float:
        """Return how long ago the drill was, by the clocks of the store and of this machine."""
        return max(0.0, (self._now() - datetime.fromisoformat(drill.at)).total_seconds())

    async def run(self) -> None:
        """Look for ever; at random moments, so that a fleet does not look all at once."""
        while True:
            pause_s = self._every_s if await self._look() else min(RETRY_S, self._every_s)
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  # jitter

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(DEADLINE_S):
                found = {drill.model: drill for drill in await self._store.drills()}
        except Exception:
            # Whatever a store says here, or does not know, must not end the following of pins.
            return False
        for model, drill in found.items():
            if self._looked and self.known.get(model) != drill:
                self._finished(drill)
        self.known, self._looked = found, True
        return True

    def _finished(self, drill: Drill) -> None:
        self._log.info(
            events.DRILL_FINISHED,
            model=drill.model,
            label=drill.label,
            version=drill.to,
            previous=drill.from_,
            reverted=drill.reverted,
            rollback_ms=drill.rollback_ms,
            proxies=drill.proxies,
            by=drill.by,
        )

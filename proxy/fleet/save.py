"""Saving the snapshot beside the following of it: a slow disk delays no switch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from proxy import events
from proxy.fleet.last_known_good import LastKnownGood
from proxy.fleet.snapshot import Snapshot, Spoken, unknown

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# The store is not kept waiting for a disk that hangs.
LOAD_S = 5.0

# A whole fleet switches at once, and somebody waits for it: it writes to its disks afterwards.
SETTLE_S = 0.1

# A full disk may get room again, another proxy's directory be left to us.
AGAIN_S = 10.0


class Saver:
    """Saves while `run` runs. `not_saved` is why what is on disk is behind; empty: it is not.
    `saves` is False where another one saves the same, to the same place."""

    def __init__(
        self,
        disk: LastKnownGood,
        log: FilteringBoundLogger,
        spoken: Spoken = unknown,
        *,
        again_s: float = AGAIN_S,
    ) -> None:
        self.not_saved = ""
        self.saves = True
        self._disk = disk
        self._log = log
        self._spoken = spoken
        self._again_s = again_s
        self._due = False
        self._turn = asyncio.Event()

    def soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(SETTLE_S, self._turn.set)

    def hand_to(self, successor: Saver) -> None:
        """Save no more: `successor` does, on the same disk, and what is due at once."""
        self.saves = False
        if self.not_saved or self._due:
            successor.soon()

    async def load(self) -> Snapshot | None:
        """Return the snapshot on disk, if there is one that can be used."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOAD_S):
                return await asyncio.to_thread(self._disk.read, self._spoken)
        return None

    async def run(self, current: Callable[[], Snapshot]) -> None:
        """Save what `current` gives, for ever: soon after each `soon`, and again after a failure.

        When it is cancelled it saves what is due, and lets another proxy have the directory.
        """
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._again_s if self.not_saved else None):
                        await self._turn.wait()
                self._turn.clear()
                self._due = False
                await self._save(current())
        finally:
            if self._due:
                await self._save(current())
            if self.saves:
                await asyncio.to_thread(self._disk.release)

    async def _save(self, snapshot: Snapshot) -> None:
        if not self.saves:
            return
        try:
            await asyncio.to_thread(self._disk.keep, snapshot)
        except asyncio.CancelledError:
            self._due = True
            raise
        except OSError as error:
            self._failed(error.strerror or type(error).__name__)
        else:
            self.not_saved = ""

    def _failed(self, reason: str) -> None:
        if self.not_saved != reason:
            self.not_saved = reason
            self._log.error(events.SNAPSHOT_NOT_SAVED, reason=reason)

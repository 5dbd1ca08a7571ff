"""What signals ask of a process that serves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Asked:
    """`stop`: drain and end; `now`: do not wait for it; `quick`: give nobody time to move on."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    now: asyncio.Event = field(default_factory=asyncio.Event)
    quick: bool = False
    _any: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self, *, reloads: bool) -> None:
        """Take SIGTERM, SIGINT and SIGHUP from now on. What cannot reload is stopped by the last,
        as a terminal that is closed stops any program."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._any.set if reloads else self._interrupt)

    async def wait(self) -> bool:
        """Wait until there is something to do; return whether that is to reload. Several signals
        may be one reload."""
        await self._any.wait()
        self._any.clear()
        return not self.stop.is_set()

    async def unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`; give it up when we are asked to stop. Return whether it was done."""
        doing, stop = asyncio.ensure_future(work), asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait((doing, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            given_up = doing.cancel()
        with suppress(asyncio.CancelledError) if given_up else nullcontext():
            await doing
        return not given_up

    def _stop(self) -> None:
        (self.now if self.stop.is_set() else self.stop).set()
        self._any.set()

    def _interrupt(self) -> None:
        self.quick = True
        self._stop()

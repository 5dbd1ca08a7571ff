"""A log line for each pin that was followed, beside the following itself: whether it was set by
hand takes a look into the history, and the next pin must not wait for that."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy import events
from proxy.errors import ProxyError
from proxy.fleet.snapshot import Pinned, Snapshot
from proxy.store.base import Store
from proxy.versions.record import Event, Pin, PinKey

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# Looked through for a pin: nearly always it is the model's last event, and reading one is a quarter
# of the time of reading four.
FEW_EVENTS = 1
RECENT_EVENTS = 64

# A whole fleet switches at once, and somebody waits for it: it looks into the history afterwards.
LATER_S = (0.1, 0.5)

# Beyond this many lines that wait, a pin is announced without a look.
MOST_WAITING = 1000


@dataclass(frozen=True, slots=True)
class _Switch:
    pinned: Pinned
    previous: str | None


class Announcer:
    """Announces while `run` runs."""

    def __init__(
        self,
        store: Store,
        log: FilteringBoundLogger,
        *,
        later_s: tuple[float, float] = LATER_S,
    ) -> None:
        self._store = store
        self._log = log
        self._later_s = later_s
        self._waiting: deque[_Switch] = deque()
        self._turn = asyncio.Event()
        self._looking = False

    @property
    def is_idle(self) -> bool:
        """Whether every line was written."""
        return not self._waiting and not self._looking

    def switched(self, before: Snapshot, made: Mapping[PinKey, Pinned]) -> None:
        """Have a line written for each pin in `made`, that replaced what `before` had. The first
        pins of a start are not looked up."""
        for key, pinned in made.items():
            old = before.pinned.get(key)
            switch = _Switch(pinned, old.served.id if old else None)
            if before.loaded and len(self._waiting) < MOST_WAITING:
                self._later(switch)
            else:
                self._announce(switch, None)

    async def run(self) -> None:
        """Announce for ever; what waits when it is cancelled is announced without a look."""
        try:
            while True:
                await self._turn.wait()
                self._turn.clear()
                self._looking = True
                while self._waiting:
                    await self._look_and_announce(self._waiting.popleft())
                self._looking = False
        finally:
            while self._waiting:
                self._announce(self._waiting.popleft(), None)

    def _later(self, switch: _Switch) -> None:
        """Have `switch` announced a moment later, with what comes until then."""
        if not self._waiting:
            pause_s = random.uniform(*self._later_s)  # noqa: S311  # jitter, no secret
            asyncio.get_running_loop().call_later(pause_s, self._turn.set)
        self._waiting.append(switch)

    async def _look_and_announce(self, switch: _Switch) -> None:
        unrecorded = None
        try:
            unrecorded = await self._is_unrecorded(switch.pinned.pin)
        finally:
            self._announce(switch, unrecorded)

    def _announce(self, switch: _Switch, unrecorded: bool | None) -> None:
        pin = switch.pinned.pin
        self._log.info(
            events.PIN_CHANGED,
            model=pin.model,
            label=pin.label,
            version=pin.id,
            previous=switch.previous,
            epoch=pin.epoch,
            unrecorded=unrecorded,
        )

    async def _is_unrecorded(self, pin: Pin) -> bool | None:
        """Say whether `pin` was set by hand, past the history; None if the store does not say."""
        try:
            for count in (FEW_EVENTS, RECENT_EVENTS):
                if is_recorded(pin, await self._store.history(pin.model, count)):
                    return False
        except ProxyError:
            return None
        return True


def is_recorded(pin: Pin, known: Iterable[Event]) -> bool:
    """Say whether one of these events put `pin` where it is."""
    wanted = (pin.operation, pin.epoch, pin.label, pin.id)
    return wanted in {(one.operation, one.epoch, one.label, one.version) for one in known}

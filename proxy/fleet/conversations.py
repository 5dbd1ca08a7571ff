"""Which versions may go on with the conversations that they began (docs/conversations.md).

Told with every look at the pins what labels held before. A version is ready to go on as soon as it
is held, which it is at once by a proxy that served it; one that started later fetches it, beside
the following of pins. What was revoked is out at the same look that tells of the rollback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from proxy.errors import RequestError, StoreUnavailable, StoreUnsafe
from proxy.fleet.snapshot import MOST_HOLDERS, Served, Snapshot, Spoken, is_meant, ready, unknown
from proxy.store.base import Store
from proxy.versions.names import split_id
from proxy.versions.record import Former

# A store that is away comes back; an app's next turn is seconds away.
AGAIN_S = 1.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Left:
    """`left_s` is when the label lost the version, on our own clock."""

    former: Former
    left_s: float = field(compare=False)


class Conversations:
    """Fetches while `run` runs. `clock` is monotonic, `now` the time of day, which the store's
    times are compared with where we did not see for ourselves when a label lost a version."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        spoken: Spoken = unknown,
        *,
        now: Callable[[], datetime] = _now,
        again_s: float = AGAIN_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._spoken = spoken
        self._now = now
        self._again_s = again_s
        self._left: dict[str, tuple[_Left, ...]] = {}
        self._ready: Mapping[str, Served] = {}
        self._lacking: list[str] = []
        self._turn = asyncio.Event()

    def continue_with(self, known: Conversations) -> None:
        """Begin with what another one of this process knows, until the store tells."""
        self._left, self._ready = known._left, known._ready

    def told(self, former: Collection[Former], snapshot: Snapshot) -> None:
        """Take over what the store says that labels held before. `snapshot` is what is served, not
        yet swapped for what came with it."""
        known = {one.former: one for several in self._left.values() for one in several}
        left: dict[str, tuple[_Left, ...]] = {}
        for one in former:
            noted = known.get(one) or _Left(one, self._moment(one, snapshot))
            left[one.id] = (*left.get(one.id, ()), noted)
        # As many as are held of holders anyway; nearly always they are the same objects.
        newest = list(dict.fromkeys(one.id for one in reversed(tuple(former))))[:MOST_HOLDERS]
        held = {served.id: served for served in _held(snapshot)}
        self._left = left
        self._ready = {
            id: served for id in newest if (served := self._ready.get(id) or held.get(id))
        }
        self._lacking = [id for id in newest if id not in self._ready]
        if self._lacking:
            self._turn.set()

    def find(self, id: str, labels: Callable[[str], bool], keep_s: float) -> Served | None:
        """Return the version with this id, if a label that `labels` accepts held it less than
        `keep_s` seconds ago, and nobody revoked it since."""
        since_s = self._clock() - keep_s
        for one in self._left.get(id, ()):
            if one.left_s > since_s and labels(one.former.label):
                return self._ready.get(id)
        return None

    async def run(self) -> None:
        """Fetch what is lacking, for ever."""
        while True:
            await self._turn.wait()
            self._turn.clear()
            if not await self._fetch_all():
                await asyncio.sleep(self._again_s)
                self._turn.set()

    def _moment(self, one: Former, snapshot: Snapshot) -> float:
        """Return when the label lost the version: just now if we serve it still."""
        parts = split_id(one.id)
        pinned = snapshot.pinned.get((parts[0], one.label)) if parts else None
        if pinned is not None and pinned.served.id == one.id:
            return self._clock()
        return self._clock() - max(0.0, self._now().timestamp() - one.at_ms / 1000)

    async def _fetch_all(self) -> bool:
        """Return whether nothing is lacking any more that the store may still give."""
        for id in tuple(self._lacking):
            try:
                served = await self._fetched(id)
            except (StoreUnavailable, TimeoutError):
                return False
            except (RequestError, StoreUnsafe):
                served = None
            except Exception:
                # A version that our own code cannot bear must not end the following of all others.
                served = None
            if id in self._lacking:  # else what was lacking changed meanwhile
                self._lacking.remove(id)
                if served is not None:
                    self._ready = {**self._ready, id: served}
        return True

    async def _fetched(self, id: str) -> Served | None:
        parts = split_id(id)
        if parts is None:
            return None
        model, reference = parts
        version = await self._store.version(model, reference.number)
        if version is None or version.info.id != id or not is_meant(version.info, reference):
            return None
        return await ready(version, self._spoken)


def _held(snapshot: Snapshot) -> Iterator[Served]:
    yield from (item.served for item in snapshot.pinned.values())
    yield from snapshot.holders

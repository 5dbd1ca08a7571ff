"""The workers that serve with one set of settings. One that dies is replaced."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from proxy import events
from proxy.fleet.naming import new_instance
from proxy.http.sockets import beside, close_all, open_sockets
from proxy.reload import Rejected
from proxy.settings import Settings
from proxy.workers.child import Child
from proxy.workers.messages import Begin, Save, handed

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# A start takes half a second; on a machine that has no time at all, a few.
READY_S = 30.0

# A worker that dies at once, time after time, must not fill log and machine.
SHORTEST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 5.0

# One that served for this long is replaced at once.
PROVEN_S = 10.0

# A member's name has a limit; the number of its worker must fit behind it.
MOST_OF_A_NAME = 120

SocketSets = list[list[socket.socket]]
"""By worker, what it accepts from: a socket for each address that the configured one stands for."""


async def open_sets(address: str, workers: int, *, join: bool = False) -> SocketSets:
    """Open sockets of its own for each worker, all on one address. Raises as `open_sockets`."""
    sets = [await open_sockets(address, join=join)]
    try:
        for _ in range(workers - 1):
            sets.append([beside(one) for one in sets[0]])
    except BaseException:
        close_sets(sets)
        raise
    return sets


def close_sets(sets: Iterable[Sequence[socket.socket]]) -> None:
    for one in sets:
        close_all(one)


@dataclass(frozen=True, slots=True)
class Work:
    """What a team is to do. `name` is the fleet's, before the numbers of the workers."""

    settings: Settings = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    name: str
    sets: SocketSets

    def begin(self, worker: int, *, saves: bool, forget: list[str]) -> Begin:
        return Begin(
            worker,
            f"{self.name[:MOST_OF_A_NAME]}-{worker}",
            new_instance(),
            handed(self.settings),
            dict(self.env),
            [one.fileno() for one in self.sets[worker - 1]],
            len(self.sets),
            saves,
            forget,
        )


class Team:
    """`children` has by worker the process that is there now. `died` is called with each that
    ended without having been told to."""

    def __init__(
        self, work: Work, log: FilteringBoundLogger, died: Callable[[Child], None]
    ) -> None:
        self.work = work
        self.children: dict[int, Child] = {}
        self.leaving = False
        self._log = log
        self._died = died
        self._saves = False
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def serving(self) -> list[Child]:
        return [child for child in self.children.values() if child.serves]

    async def start(self, *, saves: bool) -> None:
        """Start all workers; the first saves last known good, if one is to. Raises `Rejected` if
        one does not get as far as serving; none is left then."""
        self._saves = saves
        numbers = range(1, len(self.work.sets) + 1)
        try:
            for number in numbers:
                await self._spawn(number)
            await asyncio.gather(*map(self._ready, self.children.values()))
        except BaseException:
            await self.end()
            raise
        self._keepers = [asyncio.ensure_future(self._keep(number)) for number in numbers]

    def tell(self, message: msgspec.Struct) -> None:
        for child in self.children.values():
            child.tell(message)

    def leave(self, message: msgspec.Struct) -> None:
        """Tell all to drain; who ends from now on is not replaced."""
        self.leaving = True
        self.tell(message)

    def save(self) -> None:
        """Have the first worker save last known good from now on."""
        self._saves = True
        self.children[1].tell(Save())

    async def deaf(self) -> None:
        """Wait until no worker accepts connections any more."""
        for child in list(self.children.values()):
            await child.deaf.wait()

    async def over(self) -> None:
        """Wait until every worker is gone."""
        if self._keepers:
            await asyncio.wait(self._keepers)

    async def end(self) -> None:
        """End all workers, at once."""
        self.leaving = True
        await asyncio.gather(*(child.end() for child in self.children.values()))
        await self.over()

    async def _spawn(self, worker: int, *dead: str) -> Child:
        begin = self.work.begin(worker, saves=self._saves and worker == 1, forget=list(dead))
        child = await Child.spawn(begin, self.work.sets[worker - 1])
        self.children[worker] = child
        return child

    async def _ready(self, child: Child) -> None:
        try:
            async with asyncio.timeout(READY_S):
                await child.ready.wait()
        except TimeoutError:
            child.kill()
            raise Rejected([f"worker {child.worker}: not ready in {READY_S:g} s"]) from None
        if not child.serves:
            raise Rejected(child.problems or [f"worker {child.worker}: ended while it started"])
        self._log.info(
            events.WORKER_STARTED, worker=child.worker, pid=child.pid, member=child.member
        )

    async def _keep(self, worker: int) -> None:
        """Replace the worker's process as often as it ends, until the team leaves."""
        clock = asyncio.get_running_loop().time
        failures, dead = 0, list[str]()
        while True:
            began = clock()
            child = self.children[worker]
            await child.gone
            if self.leaving:
                return
            self._died(child)
            failures = 1 if clock() - began >= PROVEN_S else failures + 1
            dead = [*dead, child.member] if failures > 1 else [child.member]
            await asyncio.sleep(backoff_s(failures))
            if self.leaving:
                return
            await self._replace(child, dead)

    async def _replace(self, before: Child, dead: Iterable[str]) -> None:
        try:
            child = await self._spawn(before.worker, *dead)
        except OSError as error:
            before.problems = [error.strerror or str(error)]
            return
        if self.leaving:
            await child.end()
            return
        try:
            await self._ready(child)
        except Rejected as rejected:
            child.problems = rejected.problems


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row."""
    most = min(LONGEST_BACKOFF_S, SHORTEST_BACKOFF_S * 2 ** (failures - 1))
    return random.uniform(0, most)  # noqa: S311  # jitter, not a secret

"""The members of a fleet, started and ended together: real proxies, watchers, or bare watchers."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from bench.sidecar import ROOT, Sidecar, Wiring
from bench.watchers import Spec
from proxy.store.base import Store

# Half a second of CPU time each: more at once would only wait for one another.
STARTED_AT_ONCE = 4
JOINED_WITHIN_S = 60.0

# So many watchers share a process, and take turns in it.
WATCHERS_A_PROCESS = 100

ENDED_WITHIN_S = 10.0


class Kind(StrEnum):
    """`BARE_PROCESS` is a process for each bare watcher: the floor for proxies."""

    PROXY = "proxies"
    WATCHER = "watchers"
    BARE_PROCESS = "bare processes"
    BARE = "bare watchers"

    def of(self, count: int) -> str:
        """Return what so many are called."""
        return f"1 {_ONE[self]}" if count == 1 else f"{count} {self}"


_ONE = {
    Kind.PROXY: "proxy",
    Kind.WATCHER: "watcher",
    Kind.BARE_PROCESS: "bare process",
    Kind.BARE: "bare watcher",
}


@dataclass(frozen=True, slots=True)
class Crew:
    """`names` of the members, and what runs them: `pids` are the processes, in order."""

    kind: Kind
    names: tuple[str, ...]
    pids: tuple[int, ...]


@asynccontextmanager
async def crew(kind: Kind, count: int, store: Store, url: str, folder: Path) -> AsyncIterator[Crew]:
    """Run `count` members from when all have joined until the end of the block.

    Raises `RuntimeError` if one does not join.
    """
    names = tuple(f"web-{number:03}" for number in range(1, count + 1))
    running: list[Sidecar] = []
    watching: list[subprocess.Popen[bytes]] = []
    try:
        if kind is Kind.PROXY:
            for batch in _batches(names, STARTED_AT_ONCE):
                running += [_launched(name, url, folder) for name in batch]
                await joined(store, batch)
        else:
            each = 1 if kind is Kind.BARE_PROCESS else WATCHERS_A_PROCESS
            bare = kind in (Kind.BARE, Kind.BARE_PROCESS)
            for batch in _batches(names, each):
                watching.append(_watchers(Spec(url, batch, str(folder), bare)))
            await joined(store, names)
        pids = [*(one.pid for one in running), *(one.pid for one in watching)]
        yield Crew(kind, names, tuple(pids))
    finally:
        for sidecar in running:
            sidecar.tell_to_stop()
        for sidecar in running:
            sidecar.stop()
        _end(watching)


def _batches(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    for begin in range(0, len(names), size):
        yield tuple(names[begin : begin + size])


def _launched(name: str, url: str, folder: Path) -> Sidecar:
    sidecar = Sidecar(folder / name, Wiring(name, url))
    sidecar.launch()
    return sidecar


def _watchers(spec: Spec) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.watchers", json.dumps(asdict(spec))]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for one in processes:
        one.send_signal(signal.SIGTERM)
    for one in processes:
        try:
            one.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


async def joined(store: Store, names: Sequence[str]) -> None:
    """Wait until all of them have a lease. Raises `RuntimeError` naming one that has not."""
    deadline = time.monotonic() + JOINED_WITHIN_S
    while True:
        missing = set(names) - {member.name for member in await store.members()}
        if not missing:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{min(missing)} did not join within {JOINED_WITHIN_S:g} s")
        await asyncio.sleep(0.05)

"""Load on a proxy while something fails: apps that ask all the time, and what each was answered."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.raw_client import RawAnswer, RawApp, request

ASK = request({"model": "recommender", "messages": [{"role": "user", "content": "hi"}]})

APPS = 3
# Between two requests of an app: load enough to be hit by any fault, with room for the machine.
PACE_S = 0.01

PATIENCE_S = 20.0

TICK_S = 0.01
# No task of the event loop waits longer than this for its turn, whatever the store does, beyond
# what the machine makes everybody wait. A call that blocks until its own deadline would take a
# second or more; the rest is for a busy machine. The figure that is promised is measured in bench/.
LONGEST_GAP_S = 0.5

_PROMPT = re.compile(rb"system: (.*?)\]")


@dataclass(frozen=True, slots=True)
class Taken:
    """One answer. `prompt` is the system prompt that the vendor says it was given, `digest` is
    over the body, `began` on the monotonic clock."""

    began: float
    took_s: float
    status: int
    error: str | None
    stamp: str | None
    prompt: str
    digest: str
    ending: str

    @property
    def is_whole(self) -> bool:
        return (self.status, self.error, self.ending) == (200, None, "tidy")


class Load:
    """What the apps were answered so far, and how long the event loop kept a ticker waiting."""

    def __init__(self) -> None:
        self.answers: list[Taken] = []
        self.longest_gap_s = 0.0
        self.stopping = False
        self._more = asyncio.Condition()

    @property
    def failed(self) -> list[Taken]:
        return [answer for answer in self.answers if not answer.is_whole]

    @property
    def prompts(self) -> dict[str | None, set[str]]:
        """Return by stamp which prompts made the answers: one each, or something was mixed."""
        found: dict[str | None, set[str]] = defaultdict(set)
        for answer in self.answers:
            found[answer.stamp].add(answer.prompt)
        return dict(found)

    @property
    def digests(self) -> dict[str | None, set[str]]:
        """Return by stamp the digests of the bodies."""
        found: dict[str | None, set[str]] = defaultdict(set)
        for answer in self.answers:
            found[answer.stamp].add(answer.digest)
        return dict(found)

    async def more(self, count: int = 50) -> None:
        """Wait until `count` further requests were begun and answered."""
        now = time.monotonic()
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: self._begun_since(now, count) >= count)

    async def stamped(self, stamp: str) -> None:
        """Wait until an answer has this stamp."""
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: self.answers and self.answers[-1].stamp == stamp)

    async def take(self, answer: Taken) -> None:
        self.answers.append(answer)
        async with self._more:
            self._more.notify_all()

    def _begun_since(self, moment: float, most: int) -> int:
        latest = self.answers[-2 * most :]
        return sum(answer.began >= moment for answer in latest)


def taken(answer: RawAnswer, began: float) -> Taken:
    found = _PROMPT.search(answer.body)
    return Taken(
        began,
        time.monotonic() - began,
        answer.status,
        answer.header("x-proxy-error"),
        answer.header("x-proxy-version"),
        found[1].decode() if found else "",
        hashlib.sha256(answer.body).hexdigest(),
        answer.ending,
    )


async def keep_asking(address: tuple[str, int], load: Load, raw: bytes) -> None:
    """Ask on one connection until the load ends; on a new one after each that was broken."""
    app = await RawApp.connect(address)
    while not load.stopping:
        began = time.monotonic()
        await app.send(raw)
        answer = await app.answer()
        await load.take(taken(answer, began))
        if answer.ending != "tidy":
            app.vanish()
            app = await RawApp.connect(address)
        await asyncio.sleep(PACE_S)
    app.vanish()


class Beside(threading.Thread):
    """Ticks as the event loop does, in a thread: what keeps both waiting is the machine."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._end = threading.Event()
        self._gaps: deque[tuple[float, float]] = deque(maxlen=1000)

    def run(self) -> None:
        last = time.monotonic()
        while not self._end.wait(TICK_S):
            now = time.monotonic()
            self._gaps.append((now, now - last - TICK_S))
            last = now

    def end(self) -> None:
        self._end.set()
        self.join()

    def longest_since(self, moment: float) -> float:
        """Return the longest gap that ended after `moment`, or has not ended yet."""
        ended = [gap for end, gap in list(self._gaps) if end > moment]
        latest = self._gaps[-1][0] if self._gaps else moment
        return max((*ended, time.monotonic() - latest - TICK_S, 0.0))


async def _tick(load: Load, beside: Beside) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(TICK_S)
        now = time.monotonic()
        gap = now - last - TICK_S
        if gap > load.longest_gap_s:
            load.longest_gap_s = max(load.longest_gap_s, gap - beside.longest_since(last))
        last = now


@asynccontextmanager
async def under_load(
    *addresses: tuple[str, int], apps: int = APPS, raw: bytes = ASK
) -> AsyncIterator[Load]:
    """Keep `apps` apps asking, spread over `addresses`, until the end of the block."""
    load = Load()
    asking = [
        asyncio.create_task(keep_asking(addresses[n % len(addresses)], load, raw))
        for n in range(apps)
    ]
    beside = Beside()
    beside.start()
    ticking = asyncio.create_task(_tick(load, beside))
    try:
        await load.more(apps)
        yield load
    finally:
        load.stopping = True
        ticking.cancel()
        beside.end()
        ended = await asyncio.gather(*asking, return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error

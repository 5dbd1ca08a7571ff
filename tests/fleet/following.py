"""A follower on a real store, and the versions and pins that it is shown."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from proxy.fleet.fitness import ALWAYS_FIT, Fit, Fitness
from proxy.fleet.follow import Follower
from proxy.fleet.last_known_good import LastKnownGood
from proxy.fleet.snapshot import Served
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.routing.address import parse_address
from proxy.store.base import Store
from proxy.versions.content import Content
from proxy.versions.identity import canonical
from proxy.versions.record import Member, VersionInfo
from tests.contracts.places import MODEL, new, operation
from tests.harness import LogFile

PATIENCE_S = 10.0
KEY = (MODEL, "prod")


def text_of(system: str, **more: Any) -> str:
    """Return a version's canonical JSON; `more` are further parts of the content."""
    plain = {"model": {"vendor": "openai", "id": "gpt-4o-2024-08-06"}, "system": system, **more}
    return canonical(Content.model_validate(plain)).decode()


def from_the_future() -> str:
    """Return a content that only a later release can read."""
    return json.dumps({**json.loads(text_of("later")), "schema": 2}, separators=(",", ":"))


def in_no_dialect() -> str:
    """Return a content with parameters that no dialect has all of."""
    return text_of("hot", generation={"top_k": 40, "seed": 1, "parallel_tool_calls": True})


async def registered(store: Store, *systems: str, model: str = MODEL) -> list[VersionInfo]:
    """Register a version for each system prompt, in order."""
    texts = map(text_of, systems)
    return [(await store.register(new(text, model), operation())).info for text in texts]


async def registered_text(store: Store, text: str) -> VersionInfo:
    return (await store.register(new(text), operation())).info


def pin_text(info: VersionInfo, epoch: int, **changed: str) -> str:
    """Return a pin as somebody at redis-cli would write it."""
    fields = {"id": info.id, "digest": info.digest, "operation": "by-hand", **changed}
    return f"{epoch}|{fields['id']}|{fields['digest']}|{fields['operation']}"


class Clock:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def forward(self, seconds: float) -> None:
        self._ahead_s += seconds


class Eyes:
    """Sees what it was told to see, and notes how long it was allowed to look."""

    def __init__(
        self, seen: Fitness | None = None, spoken: tuple[str, ...] = ("openai.chat",)
    ) -> None:
        self.seen, self.spoken = seen or Fitness(), spoken
        self.limits: list[float] = []

    async def fitness(self, served: Served, limit_s: float) -> Fitness:
        self.limits.append(limit_s)
        return self.seen

    def dialects(self, served: Served) -> tuple[str, ...]:
        return self.spoken


@dataclass
class Following:
    follower: Follower
    log: LogFile
    writer: FilteringBoundLogger
    _marks: Iterator[int] = field(default_factory=itertools.count)

    def serving(self, model: str = MODEL, label: str = "prod") -> str | None:
        """Return the id of the version that answers requests for this label."""
        held = self.follower.snapshot.pinned.get((model, label))
        return held.served.id if held else None

    def system(self, model: str = MODEL) -> str:
        """Return the system prompt that answers requests for prod."""
        return self.follower.snapshot.by_text[model].served.content.system

    async def until(self, right: Callable[[], bool]) -> None:
        """Wait until a switch makes `right` true."""
        async with asyncio.timeout(PATIENCE_S):
            while not right():
                self.follower.changed.clear()
                if not right():
                    await self.follower.changed.wait()

    async def until_serving(self, info: VersionInfo, label: str = "prod") -> None:
        await self.until(lambda: self.serving(info.model, label) == info.id)

    async def lines(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until `count` lines of `event` were logged; return all of them."""
        return await self.log.wait_for(event, count)

    async def logged(self, event: str) -> list[dict[str, Any]]:
        """Return all lines of `event` up to now: a mark of our own comes after them."""
        mark = f"mark.{next(self._marks)}"
        self.writer.info(mark)
        await self.log.wait_for(mark, 1)
        return self.log.lines(event)

    async def looks(self, count: int = 3) -> None:
        """Wait until the pins were read so many times more."""
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(count):
                before = self.follower.state.last_contact
                while self.follower.state.last_contact == before:  # noqa: ASYNC110  # no event
                    await asyncio.sleep(0.01)

    def resolve(self, name: str) -> Any:
        """Resolve a label as the gateway does."""
        return self.follower.snapshot.by_label(parse_address(name))


@asynccontextmanager
async def following(
    store: Store,
    directory: Path,
    *,
    clock: Callable[[], float] = time.monotonic,
    name: str = "web-1",
    place: str = "here",
    start: bool = True,
    fit: Fit = ALWAYS_FIT,
) -> AsyncIterator[Following]:
    """Follow `store` until the end of the block, saving to `directory`."""
    log = LogFile()
    sink = LogSink(log, most_lines=1000)
    sink.attach(asyncio.get_running_loop())
    writer = open_log(sink)
    follower = Follower(
        store,
        member=Member(name, 0, {}),
        disk=LastKnownGood(directory, place),
        log=writer,
        clock=clock,
        explicit_versions=2,
        fit=fit,
    )
    running = asyncio.create_task(follower.run())
    try:
        if start:
            await follower.start()
        yield Following(follower, log, writer)
    finally:
        running.cancel()
        (ended,) = await asyncio.gather(running, return_exceptions=True)
        await follower.reporter.leave()
        sink.close()
    assert isinstance(ended, asyncio.CancelledError), ended

"""Apps that ask all the time while something is done to a proxy, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.raw_client import RawApp, raw_app

# So that the machine has time left for the proxies.
PAUSE_S = 0.005


@dataclass
class Load:
    """`failures` has a line for each request that was not answered with 200, to its end."""

    address: tuple[str, int]
    raw: bytes
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def more(self, count: int) -> None:
        """Wait until so many more were answered, or one was not."""
        wanted = self.answered + count
        async with asyncio.timeout(30):
            while self.answered < wanted and not self.failures:  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_S)

    async def keeping(self) -> None:
        """Ask on one connection for as long as it may be kept, then on another one."""
        while not self._over.is_set():
            async with raw_app(self.address) as app:
                while await self._ask(app):  # noqa: ASYNC110  # apps pause
                    await asyncio.sleep(PAUSE_S)

    async def anew(self) -> None:
        """Ask on a new connection each time."""
        while not self._over.is_set():
            async with raw_app(self.address) as app:
                await self._ask(app)
            await asyncio.sleep(PAUSE_S)

    async def _ask(self, app: RawApp) -> bool:
        """Ask once; return whether the connection is kept."""
        await app.send(self.raw)
        answer = await app.answer()
        if (answer.status, answer.ending) == (200, "tidy"):
            self.answered += 1
        else:
            self.failures.append(f"{answer.status}, {answer.ending}, {answer.body!r}")
        return answer.header("connection") != "close" and not self._over.is_set()

    async def run(self, work) -> None:
        try:
            await work
        except Exception as error:
            self.failures.append(repr(error))

    def stop(self) -> None:
        self._over.set()


@asynccontextmanager
async def load_on(address: tuple[str, int], raw: bytes, each: int = 4) -> AsyncIterator[Load]:
    """Ask in the background, `each` apps of both kinds, to the end of the block."""
    load = Load(address, raw)
    async with asyncio.TaskGroup() as group:
        for _ in range(each):
            group.create_task(load.run(load.keeping()))
            group.create_task(load.run(load.anew()))
        try:
            yield load
        finally:
            load.stop()

"""A listener for a test's own server, which leaves no connection behind.

`asyncio.start_server` forgets whom it let in: a connection that was taken while the test ended, or
whose task was cancelled before it began, would stay open, and be noticed when garbage is collected
in some other test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]

# Taken from the kernel, told to the protocol: two turns of the loop.
_TURNS_TO_MEET = 3


class Listening:
    """Has `serve` serve each connection in a task, until `close`; a connection that breaks is no
    error. With `serve` done a connection stays open, unless `serve` closed it."""

    def __init__(self, serve: Serve) -> None:
        self.port = 0
        self._serve = serve
        self._met: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self, port: int = 0, **options: Any) -> None:
        """Listen at `port` on loopback, or at `sock`; `options` are those of `start_server`."""
        place = {} if "sock" in options else {"host": "127.0.0.1", "port": port}
        self._server = await asyncio.start_server(self._meet, **place, **options)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more, end what is being served, and break every connection."""
        self._server.close()
        for _ in range(_TURNS_TO_MEET):
            await asyncio.sleep(0)
        tasks, writers = list(self._met), list(self._met.values())
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the transports close their sockets now
        errors = [one for one in ended if isinstance(one, Exception)]
        if errors:
            raise ExceptionGroup("a test's server failed", errors)

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # In the very call that tells of the connection: none is known to nobody.
        task = asyncio.create_task(self._one(reader, writer))
        self._met[task] = writer
        task.add_done_callback(self._ended)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except ConnectionError:
            writer.transport.abort()

    def _ended(self, task: asyncio.Task[None]) -> None:
        transport = self._met[task].transport
        is_over = transport.is_closing() and not transport.get_write_buffer_size()
        if is_over and not task.cancelled() and task.exception() is None:
            del self._met[task]


@asynccontextmanager
async def listening(serve: Serve, port: int = 0) -> AsyncIterator[int]:
    """Serve inside the block; yield the port."""
    listener = Listening(serve)
    await listener.start(port)
    try:
        yield listener.port
    finally:
        await listener.close()

"""A TCP relay that stands between a store and its server, and does damage at exact moments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.listening import listening


class Relay:
    """Passes bytes both ways until told otherwise.

    `lose_answer_to` is a piece of a request: the server gets that request whole, its answer is
    thrown away, and the connection is cut. `swallow_answer_to`: the same, but in silence.
    `cut_answers_at` counts bytes of answers, over all connections; there a connection is cut, once.
    `before` is a piece of a request and what happens once, before the server gets that.
    `delay_s` is what each answer waits. While `passes` is not set nothing passes, either way: bytes
    are held back and connections taken but not answered, as by a network that lost its route.
    `garbage` is said once in the place of the next answer. `server_port` may be changed: it is
    where the next connection goes; one that is not taken there is closed.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.port = 0
        self.lose_answer_to: bytes | None = None
        self.swallow_answer_to: bytes | None = None
        self.cut_answers_at: int | None = None
        self.before: tuple[bytes, Callable[[], Awaitable[object]]] | None = None
        self.delay_s = 0.0
        self.garbage: bytes | None = None
        self.passes = asyncio.Event()
        self.passes.set()
        self.answered_bytes = 0
        self.connections = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection that is open."""
        for writer in list(self._open):
            writer.transport.abort()

    async def serve(self, app: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            server, forth = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            back.close()
            return
        self._open |= {back, forth}
        damage = _Damage()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._requests(app, forth, damage))
                tasks.create_task(self._answers(server, back, damage))
        except* (ConnectionError, _CutError):
            pass
        finally:
            for writer in (back, forth):
                writer.close()

    async def _requests(
        self, app: asyncio.StreamReader, forth: asyncio.StreamWriter, damage: _Damage
    ) -> None:
        while chunk := await app.read(65536):
            damage.lose |= _holds(chunk, self.lose_answer_to)
            damage.swallow |= _holds(chunk, self.swallow_answer_to)
            if self.before is not None and self.before[0] in chunk:
                happens, self.before = self.before[1], None
                await happens()
            await self.passes.wait()
            forth.write(chunk)
        raise _CutError

    async def _answers(
        self, server: asyncio.StreamReader, back: asyncio.StreamWriter, damage: _Damage
    ) -> None:
        while chunk := await server.read(65536):
            if damage.lose:
                raise _CutError
            if damage.swallow:
                continue
            await asyncio.sleep(self.delay_s)
            await self.passes.wait()
            if self.garbage is not None:
                chunk, self.garbage = self.garbage, None
            if self.cut_answers_at is not None:
                chunk = chunk[: max(0, self.cut_answers_at - self.answered_bytes)]
            self.answered_bytes += len(chunk)
            back.write(chunk)
            if self.cut_answers_at is not None and self.answered_bytes >= self.cut_answers_at:
                self.cut_answers_at = None
                await back.drain()
                raise _CutError
        raise _CutError


class _CutError(Exception):
    pass


class _Damage:
    lose = False
    swallow = False


def _holds(chunk: bytes, piece: bytes | None) -> bool:
    return piece is not None and piece in chunk


@asynccontextmanager
async def relayed(server_port: int) -> AsyncIterator[Relay]:
    relay = Relay(server_port)
    try:
        async with listening(relay.serve) as relay.port:
            yield relay
    finally:
        relay.cut()  # what a server that is frozen has not taken would keep a connection open

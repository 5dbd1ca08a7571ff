"""A RedisStore on fakeredis, for tests of what the code decides; faults need the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import fakeredis
from fakeredis._socket._base import BaseFakeSocket
from redis import exceptions as redis_errors

from proxy.store.redis import RedisStore
from proxy.store.redis_answers import refused
from proxy.store.redis_link import Source
from proxy.store.redis_wire import Command, Listener, pack

# RESP3 lets a connection that subscribed send any command; fakeredis refuses as RESP2 does.
_ALLOWED = {"get", "mget", "smembers"}


def fake_store(server: fakeredis.FakeServer, **options: Any) -> RedisStore:
    """Return a store on `server`; all stores on one server see the same data."""
    BaseFakeSocket.ACCEPTED_COMMANDS_WHILE_PUBSUB |= _ALLOWED
    # Without it, Python 3.11's wait_for now and then swallows a cancellation.
    settings = {"protocol": 3, "socket_timeout": None}
    pool = fakeredis.FakeAsyncRedis(server=server, **settings).connection_pool

    async def make() -> FakeWire:
        connection = pool.make_connection()
        await connection.connect()
        return FakeWire(connection)

    return RedisStore(Source(make, "fakeredis"), **options)


class FakeWire:
    """A `redis_wire.Wire` over a connection of redis-py's to a server that is in this process."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.in_step = True

    async def ask(self, commands: Sequence[Command], until_s: float) -> list[Any]:
        self.in_step = False
        async with asyncio.timeout_at(until_s):
            await self._connection.send_packed_command(pack(commands), check_health=False)
            answers = [await self._answer() for _ in commands]
        self.in_step = True
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def hear(self, listener: Listener) -> None:
        self._tasks = [
            asyncio.ensure_future(self._hear(listener)),
            asyncio.ensure_future(self._write()),
        ]

    def send(self, packed: bytes) -> None:
        self._waiting.put_nowait(packed)

    def close(self) -> None:
        self.in_step = False
        for task in self._tasks:
            task.cancel()
        self._connection._parser.on_disconnect()
        self._connection._close()

    async def _answer(self, **options: Any) -> Any:
        try:
            return await self._connection.read_response(**options)
        except redis_errors.ResponseError as error:
            return refused(f"{getattr(error, 'status_code', '') or ''} {error}".strip())

    async def _hear(self, listener: Listener) -> None:
        try:
            while True:
                listener.heard(await self._answer(push_request=True, disconnect_on_error=False))
        except (OSError, redis_errors.RedisError) as error:
            listener.ended(ConnectionResetError(str(error)))
        except Exception as error:
            listener.ended(error)

    async def _write(self) -> None:
        while True:
            packed = await self._waiting.get()
            await self._connection.send_packed_command(packed, check_health=False)

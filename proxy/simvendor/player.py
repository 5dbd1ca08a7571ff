"""Plays a script to one caller: the only part that knows sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping, Sequence

from aiohttp import web

from proxy.simvendor.answer import Answer
from proxy.simvendor.script import (
    MAX_STALL_S,
    Cut,
    Events,
    Fail,
    Fin,
    Garbage,
    Pace,
    Refuse,
    Rest,
    Say,
    Stall,
    Step,
)
from proxy.simvendor.wrong import usual

# RST instead of FIN when the socket is closed: linger on, for no time.
RESET = struct.pack("ii", 1, 0)


def plain(answer: Answer, headers: Mapping[str, str]) -> web.Response:
    """Return a tidy answer that is no stream, with its length."""
    body = b"".join(answer.pieces)
    return web.Response(body=body, headers={**headers, "content-type": answer.content_type})


def refusal(step: Refuse, headers: Mapping[str, str]) -> web.Response:
    body = usual(step.status).body() if step.body is None else step.body
    merged = {**headers, "content-type": "application/json", **step.headers}
    return web.Response(status=step.status, body=body, headers=merged)


class Player:
    """One answer. `broken` says that the connection was spoilt on purpose."""

    def __init__(
        self, request: web.Request, answer: Answer, headers: Mapping[str, str], pace_ms: float
    ) -> None:
        self._request = request
        self._left = list(answer.pieces)
        self._failure = answer.failure
        self._pace_s = pace_ms / 1000
        self._reply = web.StreamResponse(headers={**headers, "content-type": answer.content_type})
        self.broken = False

    async def play(self, steps: Sequence[Step]) -> web.StreamResponse:
        """Carry out `steps`. The reply's body ends with the script, unless a step broke it."""
        for step in steps:
            await self._step(step)
            if self.broken:
                return self._reply
        if not self._reply.prepared:
            await self._reply.prepare(self._request)
        return self._reply

    async def _step(self, step: Step) -> None:
        match step:
            case Say(piece):
                await self._say(piece)
            case Events(count):
                await self._say_next(count)
            case Rest():
                await self._say_next(len(self._left))
            case Fail():
                await self._say(self._failure)
            case Pace(ms):
                self._pace_s = ms / 1000
            case Stall():
                await self._stall(step)
            case _:
                self._spoil(step)

    def _spoil(self, step: Step) -> None:
        match step:
            case Garbage(bytes=garbage):
                self._transport().write(garbage)
            case Cut():
                self._reset()
            case Fin():
                self._transport().close()
        self.broken = isinstance(step, Cut | Fin) or self.broken

    async def _say_next(self, count: int) -> None:
        now, self._left = self._left[:count], self._left[count:]
        for piece in now:
            await self._say(piece)

    async def _say(self, piece: bytes) -> None:
        if not self._reply.prepared:
            await self._reply.prepare(self._request)
        await asyncio.sleep(self._pace_s)
        await self._reply.write(piece)

    async def _stall(self, step: Stall) -> None:
        if step.until is not None:
            await step.until.wait()
        else:
            await asyncio.sleep(MAX_STALL_S if step.seconds is None else step.seconds)

    def _transport(self) -> asyncio.Transport:
        transport = self._request.transport
        if transport is None:
            raise ConnectionResetError("the caller has gone")
        return transport

    def _reset(self) -> None:
        transport = self._transport()
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        transport.abort()

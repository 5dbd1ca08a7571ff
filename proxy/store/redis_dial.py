"""Connections to a Redis: found, opened, logged in. One attempt, nothing is tried again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.store.redis_answers import Nonsense
from proxy.store.redis_login import Login
from proxy.store.redis_names import Names
from proxy.store.redis_tls import Tls
from proxy.store.redis_wire import Command, Socket, Wire

# Half a second is twice around the world. A packet that was lost in a partition is sent again by
# the kernel after a second only, so a fresh attempt finds a network that is whole again sooner.
CONNECT_S = 0.5
# TLS takes two round trips more, and some arithmetic.
TLS_CONNECT_S = 1.0
# A server that takes connections and says nothing is one that is frozen.
GREETED_S = 2.0

# A connection that is idle shows within a minute that the other side is gone, so that it is not
# only noticed when it is used.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


@dataclass(frozen=True, slots=True)
class Server:
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


Place = Server | Path
"""Where a server is: an address, or its Unix socket."""

Seek = Callable[[], Awaitable[Server]]


@dataclass(frozen=True, slots=True)
class Dial:
    """Opens a connection to `to`, or to what that finds, each time it is called. With `tls` there
    is none without."""

    to: Place | Seek
    names: Names = field(default_factory=Names, repr=False)
    tls: Tls | None = None
    login: Login | None = None
    db: int = 0

    async def __call__(self) -> Wire:
        """Raises one of `FAILURES`, `StoreUnavailable` or `StoreUnsafe`."""
        wire = await self._opened(self.to if isinstance(self.to, Place) else await self.to())
        try:
            await greet(wire, self.login, self.db)
        except BaseException:
            wire.close()
            raise
        return wire

    async def _opened(self, place: Place) -> Socket:
        loop = asyncio.get_running_loop()
        if isinstance(place, Path):
            async with asyncio.timeout(CONNECT_S):
                return (await loop.create_unix_connection(Socket, str(place)))[1]
        context = await self.tls.context() if self.tls is not None else None
        await self.names.known(place.host)
        async with asyncio.timeout(CONNECT_S if context is None else TLS_CONNECT_S):
            transport, wire = await loop.create_connection(
                Socket, place.host, place.port, ssl=context
            )
        _keep_alive(transport.get_extra_info("socket"))
        return wire


async def greet(wire: Wire, login: Login | None, db: int) -> None:
    """Agree on the protocol, log in, choose the database. Raises one of `FAILURES`, or what
    `Login.credentials` does."""
    hello: Command = ("HELLO", 3)
    if login is not None:
        hello = (*hello, "AUTH", *login.credentials())
    commands = [hello, ("SELECT", db)] if db else [hello]
    until_s = asyncio.get_running_loop().time() + GREETED_S
    said, *_ = await wire.ask(commands, until_s)
    if not (isinstance(said, dict) and said.get(b"proto") == 3):
        raise Nonsense


def _keep_alive(sock: Any) -> None:
    with suppress(OSError, AttributeError):  # not every system has all of them
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

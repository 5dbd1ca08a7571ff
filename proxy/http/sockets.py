"""Listening sockets, and who may listen beside whom.

Two proxies on one address share its connections, so only one that is meant to may join: a socket
is bound and listens before it lets others in (SO_REUSEPORT), and who does not come to join cannot
bind. Nothing has to be locked or asked for this; the kernel decides at once.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from proxy.settings import Listen, split_address

BACKLOG = 1024

Name = tuple[Any, ...]
"""What the kernel calls an address: host, port, and two numbers more with IPv6."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a proxy listens, as `HOST:PORT`; `admin` is empty where it is not to be asked."""

    data: str
    admin: str = ""


@dataclass(frozen=True, slots=True)
class Sockets:
    """What a proxy listens with; `admin` is empty where it is not to be asked."""

    data: list[socket.socket]
    admin: list[socket.socket]

    @property
    def bound(self) -> Bound:
        return Bound(shown(self.data[0]), shown(self.admin[0]) if self.admin else "")

    def without(self, shared: Sockets) -> Sockets:
        """Return those that are not among `shared`."""
        data = [] if self.data is shared.data else self.data
        return Sockets(data, [] if self.admin is shared.admin else self.admin)

    def close(self) -> None:
        close_all((*self.data, *self.admin))


async def open_both(listen: Listen, *, join: bool = False) -> Sockets:
    """Open the sockets for apps and for the admin listener. Raises as `open_sockets`."""
    data = await open_sockets(listen.data, join=join)
    try:
        return Sockets(data, await open_sockets(listen.admin, join=join))
    except BaseException:
        close_all(data)
        raise


async def open_sockets(address: str, *, join: bool = False) -> list[socket.socket]:
    """Return a socket for each address that `HOST:PORT` stands for.

    They listen, alone; with `join` they are bound beside those that listen there already, and
    listen when they are used. Raises `OSError` whose text names the address.
    """
    opened: list[socket.socket] = []
    try:
        for family, name in await _resolved(address):
            opened.append(_bound(family, name, join=join))
    except OSError as error:
        close_all(opened)
        reason = (error.strerror or str(error)).lower()
        raise OSError(error.errno, f"{address}: {reason}") from None
    return opened


def beside(first: socket.socket) -> socket.socket:
    """Return one more socket on the address of `first`; it listens when it is used."""
    return _bound(first.family, first.getsockname(), join=True)


def close_all(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def shown(one: socket.socket) -> str:
    """Return where a socket is bound, as `HOST:PORT`."""
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _resolved(address: str) -> list[tuple[int, Name]]:
    """Return what a name stands for, without what this machine does not have: `localhost` may
    stand for ::1 where there is no IPv6."""
    host, port = split_address(address)
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    names = list(dict.fromkeys((family, name) for family, _, _, _, name in found))
    return [one for one in names if len(names) == 1 or _is_here(*one)]


def _is_here(family: int, name: Name) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((name[0], 0, *name[2:]))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _bound(family: int, name: Name, *, join: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As asyncio does it: what the connections of the proxy before left is no obstacle.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if join:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(name)
        if not join:
            opened.listen(BACKLOG)
            _let_others_join(opened)
    except BaseException:
        opened.close()
        raise
    return opened


def _let_others_join(listening: socket.socket) -> None:
    # A system that cannot do it has no upgrade beside a running proxy, and all else.
    with suppress(OSError, AttributeError):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

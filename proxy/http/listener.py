"""What a listener's connections share, and what they expect of the gateway."""

from __future__ import annotations

import asyncio
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from proxy.errors import RequestError
from proxy.http.deadlines import Deadlines
from proxy.http.head import Head
from proxy.http.incoming import Incoming
from proxy.http.outbox import Outbox
from proxy.settings import Limits, Timeouts

if TYPE_CHECKING:
    from proxy.http.server import ServerConnection

# What one read may bring; shared by all connections of a loop, since it is used up at once.
READ_BYTES = 64 * 1024

# In a shutdown it is looked this often what connections still wait for.
LOOK_EVERY_S = 0.01

# Who is told at the end of a shutdown that it is over has this long to take it.
TOLD_S = 0.1


class Request(msgspec.Struct, gc=False):
    """`arrived` is when its last byte was read, on the clock of `time.perf_counter`; of one whose
    body is passed on as it comes (`incoming`), the last of its head."""

    head: Head
    body: bytes | bytearray
    arrived: float
    admitted: Any = None
    error: RequestError | None = None
    incoming: Incoming | None = None


class Admission(Protocol):
    """What the gateway makes of a head that it lets through. `through` is not None where the body
    is to be passed on as it comes; what it is concerns the gateway alone."""

    @property
    def through(self) -> object | None: ...


class Exchange(Protocol):
    """One request being answered; made by the gateway, driven by the connection."""

    def app_gone(self) -> None:
        """The app closed the connection before the answer was complete."""

    def pause(self) -> None:
        """The app does not take what was written; stop bringing more."""

    def resume(self) -> None: ...

    def expire(self, now: float) -> None:
        """A deadline that the exchange set on its connection has passed."""


class Gateway(Protocol):
    """What a connection needs from the gateway."""

    def admit(self, head: Head) -> Admission:
        """Look at a head before the body is read. Raises `RequestError` to refuse it.

        What is returned is kept in `Request.admitted`.
        """

    def begin(self, connection: ServerConnection, request: Request) -> Exchange | None:
        """Start to answer; None if the answer is already complete."""

    def refuse(self, connection: ServerConnection, request: Request, error: RequestError) -> None:
        """Answer a request that could not be read, completely."""

    def lost(self, request: Request) -> None:
        """Write down a request that was not begun before its connection closed."""


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """The settings that every request looks at, several times: they are slow to read themselves.
    By their names there."""

    connections: int
    buffer_bytes: int
    headers: int
    head_bytes: int
    body_bytes: int
    pipelined: int
    head_s: float
    body_s: float
    write_s: float

    @classmethod
    def of(cls, limits: Limits, timeouts: Timeouts) -> Bounds:
        return cls(
            limits.connections,
            limits.buffer_bytes,
            limits.headers,
            limits.head_bytes,
            limits.body_bytes,
            limits.pipelined,
            timeouts.head_s,
            timeouts.body_s,
            timeouts.write_s,
        )


@dataclass(slots=True)
class Listener:
    """What all connections of one listener share.

    `leaving`: answers say that their connection closes. `keepalive_s` is how long a connection
    waits for its next request. `successor`: where connections go once nothing is in flight.
    """

    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    limits: InitVar[Limits]
    timeouts: InitVar[Timeouts]
    deadlines: Deadlines
    scratch: memoryview
    connections: set[ServerConnection]
    outbox: Outbox
    leaving: bool = False
    successor: Listener | None = None
    bounds: Bounds = field(init=False)
    keepalive_s: float = field(init=False)

    def __post_init__(self, limits: Limits, timeouts: Timeouts) -> None:
        self.bounds = Bounds.of(limits, timeouts)
        self.keepalive_s = timeouts.keepalive_s

    def shorten(self, keepalive_s: float) -> None:
        """Close connections that were idle for `keepalive_s`, now and from now on."""
        less_s, self.keepalive_s = self.keepalive_s - keepalive_s, keepalive_s
        for connection in list(self.connections):
            connection.wait_less(less_s)

    def hand_to(self, successor: Listener) -> None:
        """Let `successor` have every connection, as soon as it has no request in flight."""
        self.successor = successor
        for connection in list(self.connections):
            connection.move()

    def passed_on(self, connection: ServerConnection) -> Listener:
        """Return the successor, which has `connection` from now on."""
        assert self.successor is not None
        self.connections.discard(connection)
        self.deadlines.remove(connection)
        self.successor.connections.add(connection)
        self.successor.deadlines.add(connection)
        return self.successor

    async def wait_until_left(self, deadline: float) -> None:
        """Wait until the apps have taken all that was written and close or wait for nothing, or
        until `deadline`.

        An answer is over for the gateway while its last bytes are still on their way.
        """
        # No event tells: a transport says when it holds little again, not when it holds nothing.
        while any(one.is_engaged for one in self.connections):
            if self.loop.time() >= deadline:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def give_up(self) -> None:
        """Tell whoever is still sending a request that it comes too late."""
        told = [connection.give_up() for connection in list(self.connections)]
        if any(told):
            await asyncio.sleep(TOLD_S)

    def abort(self) -> None:
        """Break every connection."""
        for connection in list(self.connections):
            connection.abort()

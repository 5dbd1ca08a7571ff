"""What a listener's connections share, and what they expect of the gateway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from proxy.errors import RequestError
from proxy.http.deadlines import Deadlines
from proxy.http.head import Head
from proxy.http.outbox import Outbox
from proxy.settings import Limits, Timeouts

if TYPE_CHECKING:
    from proxy.http.server import ServerConnection

# What one read may bring; shared by all connections of a loop, since it is used up at once.
READ_BYTES = 64 * 1024

# At the end of a shutdown it is looked this often whether apps have read their answers.
TAKEN_EVERY_S = 0.01


class Request(msgspec.Struct, gc=False):
    """`arrived` is when its last byte was read, on the clock of `time.perf_counter`."""

    head: Head
    body: bytes | bytearray
    arrived: float
    admitted: Any = None
    error: RequestError | None = None


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

    def admit(self, head: Head) -> object:
        """Look at a head before the body is read. Raises `RequestError` to refuse it.

        What is returned is kept in `Request.admitted`.
        """

    def begin(self, connection: ServerConnection, request: Request) -> Exchange | None:
        """Start to answer; None if the answer is already complete."""

    def refuse(self, connection: ServerConnection, request: Request, error: RequestError) -> None:
        """Answer a request that could not be read, completely."""

    def lost(self, request: Request) -> None:
        """Write down a request that was not begun before its connection closed."""


@dataclass(slots=True)
class Listener:
    """What all connections of one listener share."""

    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    limits: Limits
    timeouts: Timeouts
    deadlines: Deadlines
    scratch: memoryview
    connections: set[ServerConnection]
    outbox: Outbox
    draining: bool = False

    async def wait_until_taken(self, deadline: float) -> None:
        """Wait until the apps have taken all that was written, or until `deadline`.

        An answer is over for the gateway while its last bytes are still on their way.
        """
        # No event tells: a transport says when it holds little again, not when it holds nothing.
        while any(one.holds_bytes for one in self.connections):
            if self.loop.time() >= deadline:
                return
            await asyncio.sleep(TAKEN_EVERY_S)

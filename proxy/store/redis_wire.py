"""One connection to Redis: commands and their answers, or a listener that hears all that is said.

Strategy: the machine of a fleet has dozens of processes that are cold when a pin comes, and what
that costs each of them is the code on the way, not the work. So nothing stands between the socket
and whoever waits: no stream, no task, no timeout but one timer. It is also all that there is: a
connection is used once it is open, ends once, and is never mended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import hiredis

from proxy.store.redis_answers import Nonsense, refused

Command = Sequence[str | bytes | int]

# What the parser says when there is no whole answer yet; False would be an answer.
_NOT_YET = object()


class Listener(Protocol):
    """Hears what is said on a connection. What `heard` raises ends it."""

    def heard(self, frame: Any) -> None: ...

    def ended(self, error: Exception) -> None: ...


class Wire(Protocol):
    """An open connection. It either answers `ask`, one call at a time, or has a listener."""

    @property
    def in_step(self) -> bool:
        """Whether the next answer would be to the next question: the connection is open, and nobody
        was given up on, nor anything said unasked."""

    async def ask(self, commands: Sequence[Command], until_s: float) -> list[Any]:
        """Return the answers, or raise the first that is an error, once all are there.

        Raises one of `FAILURES`, `TimeoutError` at `until_s` of the event loop's clock. After any
        but `Refused`, and where it is cancelled, the connection is closed.
        """

    def hear(self, listener: Listener) -> None:
        """Tell `listener` everything from now on, pushed messages included."""

    def send(self, packed: bytes) -> None:
        """Send commands, for a listener. On a connection that has ended nothing happens."""

    def close(self) -> None:
        """Close at once. A listener hears no end of what was closed here."""


class Socket(asyncio.Protocol):
    """A `Wire` over a transport: TCP, TLS or a Unix socket."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._parser = hiredis.Reader(
            protocolError=Nonsense, replyError=refused, notEnoughData=_NOT_YET
        )
        self._listener: Listener | None = None
        self._asked: asyncio.Future[None] | None = None
        self._wanted = 0
        self._answers: list[Any] = []
        self._unasked: list[Any] = []
        self._error: Exception | None = None

    @property
    def in_step(self) -> bool:
        return self._error is None and self._asked is None and not self._unasked

    async def ask(self, commands: Sequence[Command], until_s: float) -> list[Any]:
        assert self._asked is None, "one at a time"
        loop = asyncio.get_running_loop()
        asked = self._asked = loop.create_future()
        # What was said before anything was asked is the answer: nobody is let in, for one.
        self._answers, self._unasked, self._wanted = self._unasked, [], len(commands)
        late = loop.call_at(until_s, self._late)
        self.send(pack(commands))
        try:
            if self._error is None and len(self._answers) < self._wanted:
                await asked
        except BaseException:
            self.close()
            raise
        finally:
            late.cancel()
        self._asked = None
        return self._judged()

    def hear(self, listener: Listener) -> None:
        self._listener = listener
        if self._error is not None:
            listener.ended(self._error)

    def send(self, packed: bytes) -> None:
        if self._error is None:
            self._transport.write(packed)

    def close(self) -> None:
        self._listener = None
        self._end(ConnectionResetError())

    # --- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is of no class of asyncio

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
            while (frame := self._parser.gets()) is not _NOT_YET:
                if self._listener is not None:
                    self._listener.heard(frame)
                else:
                    self._take(frame)
        except Exception as error:
            self._end(error)

    def eof_received(self) -> None:
        self._end(ConnectionResetError())

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionResetError())

    # --- inside

    def _take(self, frame: Any) -> None:
        """Take an answer. A pushed message is none. Of what nobody asked for one is kept: it shows
        that the connection is out of step."""
        if isinstance(frame, hiredis.PushNotification):
            return
        if self._asked is None or len(self._answers) >= self._wanted:
            self._unasked = self._unasked or [frame]
            return
        self._answers.append(frame)
        if len(self._answers) == self._wanted:
            self._wake()

    def _judged(self) -> list[Any]:
        """Return what was answered, or raise the first error; without all answers, why."""
        for answer in self._answers:
            if isinstance(answer, Exception):
                raise answer
        if len(self._answers) < self._wanted:
            raise self._error or ConnectionResetError()
        return self._answers

    def _late(self) -> None:
        self._end(TimeoutError())

    def _end(self, error: Exception) -> None:
        if self._error is not None:
            return
        self._error = error
        # Not close(): that would wait for a server which takes no bytes any more.
        self._transport.abort()
        self._wake()
        if self._listener is not None:
            self._listener.ended(error)

    def _wake(self) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)


def pack(commands: Iterable[Command]) -> bytes:
    """Return the bytes of commands that are sent together."""
    # Its types speak of a tuple of one.
    return b"".join([hiredis.pack_command(tuple(one)) for one in commands])  # type: ignore[arg-type]

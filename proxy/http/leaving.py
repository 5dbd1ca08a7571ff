"""What a connection from an app does when its listener goes: close in time, or move to another."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from proxy.errors import Draining, RequestError
from proxy.http.head import Head
from proxy.http.listener import Listener, Request

if TYPE_CHECKING:
    from proxy.http.server import ServerConnection

# How long a refused client may go on sending before the connection is cut, so that it gets to
# read the refusal (closing at once would reset the connection under its write).
LINGER_S = 5.0


class Leaving:
    """The part of `ServerConnection` that is used when its listener drains or is replaced."""

    deadline: float
    _listener: Listener
    _transport: asyncio.Transport
    _queue: deque[Request]
    _busy: bool
    _deaf: bool
    _full: bool
    _in_head: bool
    _head: Head | None
    _out: list[bytes]

    def _fail(self, error: RequestError) -> None:
        raise NotImplementedError

    def write_out(self) -> None:
        raise NotImplementedError

    @property
    def is_reading(self) -> bool:
        """Whether a request has begun to come and is not complete."""
        return self._in_head or self._head is not None

    @property
    def is_last(self) -> bool:
        """Whether nothing came behind the request that is being answered."""
        return not self._queue and not self.is_reading

    @property
    def is_engaged(self) -> bool:
        """Whether the app may still send a request, waits for an answer, or has not taken it."""
        out = bool(self._out) or self._transport.get_write_buffer_size() > 0
        return out or self._busy or not self._deaf

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request and nothing else: none has begun to come, and the app
        takes what is written."""
        return not (self._busy or self._deaf or self._full or self.is_reading)

    def wait_less(self, less_s: float) -> None:
        """Wait `less_s` seconds less for the next request; close if that time is over."""
        if self.is_idle:
            self.deadline -= less_s
            if self.deadline <= self._listener.loop.time():
                self.close_gently()

    def close_gently(self) -> None:
        """Close as soon as the app has taken what was written; a slow reader is given time."""
        self._deaf = True
        self.deadline = self._listener.loop.time() + self._listener.bounds.write_s
        self.write_out()
        self._transport.close()

    def move(self: ServerConnection) -> None:  # type: ignore[misc]  # there is one class only
        """Go over to the listener's successor, if there is one and nothing is in flight."""
        while self._listener.successor is not None and not self._busy:
            self._listener = self._listener.passed_on(self)

    def give_up(self) -> bool:
        """Refuse the request that is still being read. Return whether there was one."""
        if self._deaf or self._busy or not self.is_reading:
            return False
        self._fail(Draining())
        return True

    def linger(self) -> None:
        self.write_out()
        self.deadline = self._listener.loop.time() + LINGER_S
        if self._transport.can_write_eof():
            self._transport.write_eof()

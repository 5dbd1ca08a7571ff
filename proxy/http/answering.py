"""What an exchange writes on the connection of its app."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from proxy.http.answer import chunk, framing
from proxy.http.incoming import Incoming
from proxy.http.listener import Listener, Request

if TYPE_CHECKING:
    from proxy.http.server import ServerConnection


class Answering:
    """The part of `ServerConnection` that writes an answer, but for its end."""

    _chunked: bool
    _incoming: Incoming | None
    _keep_alive: bool
    _listener: Listener
    _out: list[bytes]
    _queue: deque[Request]
    _transport: asyncio.Transport
    is_last: Any

    def start(self, status_line: bytes, headers: bytes, length: int | None) -> None:
        """Write the head of the answer. `length` None: the body is chunked, or ends the connection
        with HTTP/1.0."""
        if (
            (length is None and not self._chunked)
            or (self._listener.leaving and self.is_last)
            or (self._incoming is not None and self._is_early)
        ):
            self._keep_alive = False
        end = framing(
            length,
            chunked=self._chunked,
            keep_alive=self._keep_alive,
            http_1_0=not self._chunked,
        )
        self._chunked = self._chunked and length is None
        self._out.append(status_line + headers + end)

    @property
    def _is_early(self) -> bool:
        """Whether the app is still sending the request that is being answered."""
        return self._incoming is not None and not self._queue  # else it is of the next one

    def write(self, data: bytes) -> None:
        self._out.append(chunk(data) if self._chunked else data)

    def flush(self: ServerConnection) -> None:  # type: ignore[misc]  # there is one class only
        """Have what was written go out with the other writes of this turn."""
        self._listener.outbox.add(self)

    def write_out(self) -> None:
        out = self._out
        if out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def refuse_rest(self) -> None:
        """Mark that nothing after the current request is served: the connection closes."""
        self._keep_alive = False

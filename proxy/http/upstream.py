"""Connections to vendors: one pool a vendor, one answer at a time on each connection.

Nothing here is awaited by a request: a call is handed over and told by callbacks what happens.
The proxy never retries a call by itself; `not_sent` says when nothing of it can have left.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import httptools
import msgspec

from proxy.errors import Overloaded, RequestError, UpstreamProtocol, UpstreamUnreachable
from proxy.http.deadlines import NEVER, Deadlines
from proxy.http.outbox import Outbox
from proxy.http.unwanted import MOST_UNWANTED_BYTES, UNWANTED_S, Unwanted
from proxy.settings import Limits, Timeouts

Buffer = bytes | bytearray | memoryview | msgspec.Raw

# Below this one copy is cheaper than several writes.
JOIN_BYTES = 64 * 1024

# More informational heads than any vendor sends before its answer.
MAX_INFORMATIONAL = 8


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a vendor is: never taken from a request."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class AnswerHead(msgspec.Struct, frozen=True, gc=False):
    """Header names are lower case. `length` is the announced size of the body, None if it is
    chunked or ends with the connection; `by_eof` tells the latter."""

    status: int
    headers: list[tuple[bytes, bytes]]
    fields: dict[bytes, bytes]
    length: int | None
    by_eof: bool


class Call(Protocol):
    """What a connection tells the exchange that uses it. After `ended` or `failed` nothing comes.

    `flush` follows each read that brought something. `wanted` turns False when the exchange is
    over while a connection is still being opened for it; `connect_s` limits how long that takes.
    """

    @property
    def wanted(self) -> bool: ...

    @property
    def connect_s(self) -> float: ...

    def sending(self, connection: UpstreamConnection) -> None:
        """A connection is there; the request is being written to it."""

    def answered(self, head: AnswerHead) -> None: ...

    def received(self, data: bytes) -> None: ...

    def flush(self) -> None: ...

    def ended(self, *, by_eof: bool) -> None: ...

    def failed(self, error: RequestError, *, not_sent: bool) -> None: ...

    def stalled(self, stalled: bool) -> None:
        """The vendor does not take the request, or takes it again."""


class UpstreamConnection(asyncio.BufferedProtocol):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser: Any = httptools.HttpResponseParser(self)
        self._call: Call | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._framing_bytes = 0
        self._head: AnswerHead | None = None
        self._informational = 0
        self._ended = False
        self._reusable = True
        self._out = b""
        self.unfinished = False
        self.deadline = NEVER

    # --- use by an exchange

    def send(self, call: Call, head: bytes, body: Sequence[Buffer], size: int) -> None:
        self._call, self._head, self._framing_bytes, self._ended = call, None, 0, False
        self._informational, self.unfinished = 0, False
        self.deadline = NEVER
        call.sending(self)
        if size < JOIN_BYTES:
            self._out = b"".join((head, *body))
            self._pool.outbox.add(self)
        else:
            self._transport.writelines([head, *(memoryview(piece) for piece in body)])

    def write(self, data: bytes) -> None:
        """Send more of a request that the call marked as `unfinished`."""
        self.write_out()
        self._transport.write(data)

    def write_out(self) -> None:
        out, self._out = self._out, b""
        if out:
            self._transport.write(out)

    def pause(self) -> None:
        self._transport.pause_reading()

    def resume(self) -> None:
        self._transport.resume_reading()

    def abandon(self) -> None:
        """Break the connection: nobody waits for the answer any more."""
        self._call = None
        self._out = b""
        self._reusable = False
        self._transport.abort()

    def pass_over(self) -> None:
        """Let go of an answer that has begun. What is small is read to its end, so that the
        connection can be used again: refusals come in crowds, and so would new connections."""
        head = self._head
        if head is None or head.by_eof or (head.length or 0) > MOST_UNWANTED_BYTES:
            self.abandon()
            return
        self._call = Unwanted(self)
        self._pool.watch(self, UNWANTED_S)

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    # --- events of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports do not register as asyncio's.
        self._transport = transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.lost(self)
        # The transport takes nothing any more, and would say so to whoever writes out next.
        self._out = b""
        call, self._call = self._call, None
        if call is None:
            return
        if self._head is not None and self._head.by_eof and error is None:
            call.ended(by_eof=True)
        else:
            call.failed(UpstreamUnreachable(), not_sent=False)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._call is not None:
            self._call.stalled(True)

    def resume_writing(self) -> None:
        if self._call is not None:
            self._call.stalled(False)

    def get_buffer(self, size_hint: int) -> memoryview:
        return self._pool.scratch

    def buffer_updated(self, count: int) -> None:
        call = self._call
        if call is None:
            # Bytes that nobody asked for: what follows on this connection cannot be trusted.
            self._reusable = False
            self._transport.abort()
            return
        self._framing_bytes += count
        try:
            self._parser.feed_data(self._pool.scratch[:count])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._reusable = False
            if not self._ended:
                self._break(error)
                return
        call = self._call
        if call is None:
            return
        if self._ended:
            self._release(call)
        else:
            if self._framing_bytes > self._pool.head_bytes:
                self._break(UpstreamProtocol())
                return
            call.flush()

    def expire(self, now: float) -> None:
        self._transport.close()

    # --- events of the parser

    def on_message_begin(self) -> None:
        if self._ended:
            self._reusable = False
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._ended or self._call is None:
            return
        if status < 200:
            self._skip_informational(status)
            return
        self._check_size()
        fields = dict(self._headers)
        length = fields.get(b"content-length")
        chunked = b"transfer-encoding" in fields
        bodyless = status in (204, 304)
        self._head = AnswerHead(
            status,
            self._headers,
            fields,
            0 if bodyless else int(length) if length is not None else None,
            length is None and not chunked and not bodyless,
        )
        self._call.answered(self._head)

    def on_body(self, data: bytes) -> None:
        # What comes without any body, be it a head, a chunk's extension or trailers, is bounded.
        self._framing_bytes = 0
        if self._call is not None and self._head is not None and not self._ended:
            self._call.received(data)

    def on_message_complete(self) -> None:
        if self._head is None:
            return
        self._reusable = self._reusable and not self._ended and self._parser.should_keep_alive()
        self._ended = True

    def _check_size(self) -> None:
        """Bound a head that came in one read, where the limit is below what one read brings."""
        limit = self._pool.head_bytes
        if limit < len(self._pool.scratch) and limit < sum(
            len(n) + len(v) for n, v in self._headers
        ):
            raise UpstreamProtocol()

    # --- endings

    def _skip_informational(self, status: int) -> None:
        self._informational += 1
        if status == 101 or self._informational > MAX_INFORMATIONAL:
            raise UpstreamProtocol()

    def _break(self, error: Exception) -> None:
        """The vendor's bytes make no sense: tell the call, and drop the connection."""
        call, self._call = self._call, None
        self._transport.abort()
        if call is not None:
            cause = error if isinstance(error, RequestError) else error.__context__
            call.failed(
                cause if isinstance(cause, RequestError) else UpstreamProtocol(), not_sent=False
            )

    def _release(self, call: Call) -> None:
        """The answer is complete: free the connection first, so that the next call may use it."""
        if self._call is call:
            self._call = None
            # A vendor that answers before it has the whole request may never take the rest.
            taken = not (self.unfinished or self._transport.get_write_buffer_size())
            if self._reusable and taken:
                self._pool.idle(self)
            else:
                self._transport.close()
            call.ended(by_eof=False)


class Pool:
    """The connections to one origin."""

    def __init__(
        self,
        origin: Origin,
        limits: Limits,
        timeouts: Timeouts,
        deadlines: Deadlines,
        scratch: memoryview,
        outbox: Outbox,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._loop = loop
        self.outbox = outbox
        # Settings are slow to read, and these are for each request.
        self.head_bytes = limits.upstream_head_bytes
        self._most_open, self._most_idle = limits.upstream_connections, limits.upstream_idle
        self._keepalive_s = timeouts.upstream_keepalive_s
        self.scratch = scratch
        self._origin = origin
        self._timeouts = timeouts
        self._deadlines = deadlines
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def send(self, call: Call, head: bytes, body: Sequence[Buffer], size: int) -> None:
        """Send a request on an idle connection, or on a new one as soon as it is open.

        `size` is that of `body` in bytes. The call is told by `failed(…, not_sent=True)` if no
        connection could be had.
        """
        while self._idle:
            connection = self._idle.pop()
            self._deadlines.remove(connection)
            if not connection.is_closing:
                connection.send(call, head, body, size)
                return
        if len(self._open) + len(self._connecting) >= self._most_open:
            self._loop.call_soon(_refuse, call)
            return
        task = self._loop.create_task(self._connect(call, head, body, size))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, call: Call, head: bytes, body: Sequence[Buffer], size: int) -> None:
        try:
            connection = await self._opened(call.connect_s)
        except (OSError, TimeoutError):
            call.failed(UpstreamUnreachable(), not_sent=True)
            return
        self._open.add(connection)
        if call.wanted:
            connection.send(call, head, body, size)
        else:
            self.idle(connection)

    async def _opened(self, limit_s: float) -> UpstreamConnection:
        origin = self._origin
        async with asyncio.timeout(min(limit_s, self._timeouts.connect_s)):
            _, connection = await self._loop.create_connection(
                lambda: UpstreamConnection(self),
                origin.host,
                origin.port,
                ssl=origin.tls,
                server_hostname=origin.host if origin.tls is not None else None,
            )
        return connection

    def idle(self, connection: UpstreamConnection) -> None:
        if len(self._idle) >= self._most_idle:
            connection.close()
            return
        self.watch(connection, self._keepalive_s)
        self._idle.append(connection)

    def watch(self, connection: UpstreamConnection, limit_s: float) -> None:
        """Have a connection closed that is not used again within `limit_s`."""
        connection.deadline = self._loop.time() + limit_s
        self._deadlines.add(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        self._open.discard(connection)
        self._deadlines.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def close(self) -> None:
        for task in list(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in list(self._open):
            connection.close()


def _refuse(call: Call) -> None:
    if call.wanted:
        call.failed(Overloaded("too many connections to the vendor are in use"), not_sent=True)

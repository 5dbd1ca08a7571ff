"""Connections from apps: requests are read, queued, and answered in order.

Strategy: one request at a time is answered; what a client pipelines behind it waits in a bounded
queue, and reading pauses when that is full. A failure closes the input at once and is answered
when its turn comes. A large body of known length is read straight into its place; one that is
passed on as it comes is in the queue without it (`Incoming`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, cast

import httptools

from proxy.errors import (
    BadFraming,
    BodyTooLarge,
    HeadersTooLarge,
    RequestError,
    RequestTimeout,
)
from proxy.http.answer import CONTINUE, LAST_CHUNK
from proxy.http.answering import Answering
from proxy.http.deadlines import NEVER
from proxy.http.head import Head, Headers, check_head, check_size
from proxy.http.incoming import Incoming
from proxy.http.leaving import Leaving
from proxy.http.listener import Exchange, Gateway, Listener, Request

# From here on a body is read into place; below, the parser's copy is cheaper than a new parser.
IN_PLACE_BYTES = 32 * 1024


class ServerConnection(Answering, Leaving, asyncio.BufferedProtocol):
    """One connection from an app. Methods under "answer" are for the exchange that is active."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parser: Any = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._active: Exchange | None = None
        self._busy = False
        self._target = b""
        self._headers: Headers = []
        self._head: Head | None = None
        self._admitted: object = None
        self._framing_bytes = 0
        self._read_bytes = 0
        self._in_head = False
        self._body: bytearray | list[bytes] | None = None
        self._body_bytes = 0
        self._place: memoryview | None = None
        self._incoming: Incoming | None = None
        self._held = False
        self._deaf = False
        self._paused = False
        self._full = False
        self._out: list[bytes] = []
        self._chunked = False
        self._keep_alive = True
        self.deadline = NEVER

    # --- events of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports do not register as asyncio's.
        self._transport = transport = cast(asyncio.Transport, transport)
        shared = self._listener
        if len(shared.connections) >= shared.bounds.connections:
            self._deaf = True
            transport.abort()
            return
        transport.set_write_buffer_limits(high=shared.bounds.buffer_bytes)
        shared.connections.add(self)
        shared.deadlines.add(self)
        self.deadline = shared.loop.time() + shared.keepalive_s

    def connection_lost(self, error: Exception | None) -> None:
        if not self._deaf and self.is_reading:
            self._queue.append(self._unfinished(None))
        self._deaf, self._incoming = True, None
        self._listener.connections.discard(self)
        self._listener.deadlines.remove(self)
        # The transport takes nothing any more, and would say so to whoever writes out next.
        self._out.clear()
        for request in self._queue:
            self._listener.gateway.lost(request)
        self._queue.clear()
        active, self._active = self._active, None
        if active is not None:
            active.app_gone()

    def eof_received(self) -> bool:
        # A half-closed connection counts as closed: apps that are still there do not half-close.
        return False

    def pause_writing(self) -> None:
        self._full = True
        self.deadline = self._listener.loop.time() + self._listener.bounds.write_s
        if self._active is not None:
            self._active.pause()

    def resume_writing(self) -> None:
        self._full = False
        if self._active is not None:
            self._active.resume()
        elif self._queue:
            self._serve()
        elif not self._deaf:
            self.deadline = self._listener.loop.time() + self._listener.keepalive_s

    def get_buffer(self, size_hint: int) -> memoryview:
        return self._listener.scratch if self._place is None else self._place

    def buffer_updated(self, count: int) -> None:
        if self._place is not None:
            self._filled(count)
        elif not self._deaf:
            self._feed(self._listener.scratch[:count])

    def expire(self, now: float) -> None:
        if self._active is not None:
            self._active.expire(now)
        elif self._head is not None:
            self._fail(RequestTimeout())
        elif self.is_idle:
            self.close_gently()
        else:
            # Lingering, or a head that does not come to an end: nothing could be answered.
            if self._in_head and not self._deaf:
                self._queue.append(self._unfinished(RequestTimeout()))
                self._deaf = True
            self._transport.abort()

    # --- events of the parser

    def on_message_begin(self) -> None:
        self._headers, self._framing_bytes, self._in_head = [], 0, True
        if not self._busy:
            self.deadline = self._listener.loop.time() + self._listener.bounds.head_s

    def on_url(self, target: bytes) -> None:
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come here too; they are ignored with the list that they end up in.
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self._headers
        bounds = self._listener.bounds
        if len(headers) > bounds.headers:
            raise HeadersTooLarge()
        if self._framing_bytes + self._read_bytes > bounds.head_bytes:
            # What was read may hold more than a head.
            check_size(self._target, headers, bounds.head_bytes)
        head = self._head = Head(
            parser.get_method(),
            self._target,
            parser.get_http_version(),
            parser.should_keep_alive(),
            headers,
            dict(headers),
        )
        self._headers, self._in_head, self._admitted = [], False, None
        check_head(head)
        self._admitted = admitted = self._listener.gateway.admit(head)
        if admitted.through is None:
            self._expect_body(head)
        else:
            self._pass_body(head)

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._incoming is not None:
            self._incoming.feed(data)
            return
        if self._body_bytes > self._listener.bounds.body_bytes:
            raise BodyTooLarge()
        if isinstance(self._body, bytearray):
            self._body[self._body_bytes - len(data) : self._body_bytes] = data
        elif self._body is None:
            self._body = [data]
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if len(self._headers) > self._listener.bounds.headers:
            raise BadFraming()
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            self._body_bytes = 0
            incoming.end()
            self.hold(False)
            return
        assert self._head is not None
        body = self._body
        whole = body if isinstance(body, bytearray) else b"".join(body or ())
        self._complete(self._head, whole)

    # --- reading

    def _feed(self, data: memoryview) -> None:
        try:
            self._parse(data)
        except RequestError as error:
            self._fail(error)
        else:
            if self._in_head:
                self._bound_head(bytes(data))
            elif isinstance(self._body, bytearray):
                self._place = memoryview(self._body)[self._body_bytes :]
            elif self._head is not None or self._incoming is not None:
                self._bound_framing(len(data))
            if self._queue and not self._busy:
                self._serve()

    def _parse(self, data: memoryview) -> None:
        """Run the parser over `data`; what it finds comes by the events above."""
        self._read_bytes = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise cause if isinstance(cause, RequestError) else error from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise BadFraming() from None

    def _bound_head(self, data: bytes) -> None:
        """Bound a head that comes in several reads; the parser would hold any amount of it."""
        # Other requests may stand before it in the first read.
        start = max(data.rfind(self._target), 0) if not self._framing_bytes else 0
        self._framing_bytes += len(data) - start
        if self._framing_bytes > self._listener.bounds.head_bytes:
            self._fail(HeadersTooLarge())

    def _bound_framing(self, size: int) -> None:
        """Bound what a chunked body may bring beside its data: extensions and trailers.

        A chunk of one byte, the worst that is sent in good faith, takes six.
        """
        self._framing_bytes += size
        bounds = self._listener.bounds
        allowed = 2 * bounds.head_bytes + 8 * self._body_bytes
        if self._framing_bytes > allowed or len(self._headers) > bounds.headers:
            self._fail(BadFraming())

    def _expect_body(self, head: Head) -> None:
        length = int(head.fields.get(b"content-length", b"0"))
        bounds = self._listener.bounds
        if length > bounds.body_bytes:
            raise BodyTooLarge()
        if not self._busy:
            self.deadline = self._listener.loop.time() + self._listener.bounds.body_s
        if length >= IN_PLACE_BYTES:
            self._body = bytearray(length)
        if b"expect" in head.fields and not self._busy:
            self._invite(head)

    def _pass_body(self, head: Head) -> None:
        """Queue the request without its body: it is served when this read has been parsed."""
        incoming = self._incoming = Incoming(self.hold)
        request = Request(head, b"", time.perf_counter(), self._admitted, incoming=incoming)
        self._head, self._target = None, b""
        self._queue.append(request)

    def hold(self, held: bool) -> None:
        """Read nothing from the app, or go on."""
        if held != self._held:
            self._held = held
            self._pace()

    def invite(self, head: Head) -> None:
        """Ask for the body that is passed on, if the app waits for that."""
        if not self._body_bytes:
            self._invite(head)

    def _invite(self, head: Head) -> None:
        """Ask for the body, if the app waits for that."""
        fields = head.fields
        announced = b"transfer-encoding" in fields or int(fields.get(b"content-length", b"0"))
        if b"expect" in fields and announced and head.version == "1.1":
            self._out.append(CONTINUE)
            self.flush()

    def _filled(self, count: int) -> None:
        assert self._place is not None
        assert self._head is not None
        assert isinstance(self._body, bytearray)
        self._body_bytes += count
        self._place = self._place[count:]
        if self._body_bytes == len(self._body):
            body, self._place, self._body = self._body, None, None
            # The parser still waits for the body that it never saw.
            self._parser = httptools.HttpRequestParser(self)
            self._complete(self._head, body)

    def _complete(self, head: Head, body: bytes | bytearray) -> None:
        self._head, self._body, self._body_bytes, self._target = None, None, 0, b""
        self._queue.append(Request(head, body, time.perf_counter(), self._admitted))
        self._serve()

    def _fail(self, error: RequestError) -> None:
        """Take no more input; answer the failure after the requests before it."""
        if self._deaf:
            return
        self._deaf, self._place = True, None
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            self._queue.append(self._unfinished(error))
        elif incoming.taker is not None:
            incoming.taker.body_failed(error)
        else:
            self._queue[-1].error = error
        self._head, self._body = None, None
        self._serve()

    def _unfinished(self, error: RequestError | None) -> Request:
        """What is known of a request that was not read to its end.

        Of a head that cannot be read the target is enough to answer in the right dialect.
        """
        head, admitted = self._head, self._admitted
        if head is None:
            head, admitted = Head(b"", self._target, "1.1", False, [], {}), None
        return Request(head, b"", time.perf_counter(), admitted, error)

    # --- serving

    def _serve(self) -> None:
        """Start the next request unless one is being answered."""
        while self._queue and not (self._busy or self._full or self._transport.is_closing()):
            request = self._queue.popleft()
            self._busy = True
            self.deadline = NEVER
            gateway = self._listener.gateway
            if request.error is not None:
                gateway.refuse(self, request, request.error)
            else:
                self._begin(gateway, request)
        if self._paused or self._queue:
            self._pace()

    def _begin(self, gateway: Gateway, request: Request) -> None:
        self._keep_alive = request.head.keep_alive
        self._chunked = request.head.version == "1.1"
        exchange = gateway.begin(self, request)
        if self._busy:
            self._active = exchange

    def _pace(self) -> None:
        full = self._held or len(self._queue) >= self._listener.bounds.pipelined
        if full != self._paused and not self._transport.is_closing():
            self._paused = full
            (self._transport.pause_reading if full else self._transport.resume_reading)()

    # --- answer

    def finish(self) -> None:
        """The answer is complete; go on with the next request or close."""
        if self._chunked:
            self._out.append(LAST_CHUNK)
        self.flush()
        if self._incoming is not None and self._is_early:
            self._incoming, self._deaf, self._keep_alive = None, True, False
            self.hold(False)
        self._busy, self._active = False, None
        if self._deaf and not self._queue and not self._keep_alive:
            self.linger()
        elif not self._keep_alive:
            self._deaf = True
            self.write_out()
            self._transport.close()
        else:
            if self._listener.successor is not None:
                self.move()
            self.deadline = self._listener.loop.time() + self._listener.keepalive_s

    def next(self) -> None:
        """Serve what was pipelined behind the answer that just ended."""
        if not self._busy:
            self._serve()
        if self._head is not None and not self._busy:
            self.deadline = self._listener.loop.time() + self._listener.bounds.body_s
            self._invite(self._head)

    def abort(self) -> None:
        """Break the connection, so that half an answer cannot pass for a whole one."""
        self.write_out()
        self._active = None
        self._transport.abort()

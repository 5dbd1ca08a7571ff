"""A vendor on a raw socket: it says exactly the bytes of its script, and writes down what it got.

For faults on the wire that no HTTP library would send: garbage heads, half a chunk, bytes after
the body, floods of 1xx, silence. `proxy/simvendor` is for everything above that.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from tests.listening import Listening

PATIENCE_S = 10.0

LAST_CHUNK = b"0\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Say:
    """Send these bytes."""

    bytes: bytes


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing for `seconds`, or until `until` is set; with neither, until the proxy goes."""

    seconds: float | None = None
    until: asyncio.Event | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Reset the connection (RST)."""


@dataclass(frozen=True, slots=True)
class Fin:
    """Close the connection (FIN)."""


Step = Say | Stall | Cut | Fin
Reads = Literal["all", "head", "nothing"]


def head(status: int = 200, *headers: tuple[str, str], reason: str = "OK") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def whole(body: bytes, *headers: tuple[str, str], status: int = 200) -> bytes:
    """Return a whole answer with its length, JSON unless `headers` say otherwise."""
    typed = any(name.lower() == "content-type" for name, _ in headers)
    kind = () if typed else (("content-type", "application/json"),)
    return head(status, *kind, *headers, ("content-length", str(len(body)))) + body


def stream_head(*headers: tuple[str, str]) -> bytes:
    return head(
        200,
        ("content-type", "text/event-stream; charset=utf-8"),
        *headers,
        ("transfer-encoding", "chunked"),
    )


@dataclass(frozen=True, slots=True)
class Received:
    """One request: its exact bytes, and its body without the framing."""

    head: bytes
    framed: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in lower case, in the order in which they came."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        pairs = (line.partition(":") for line in lines)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def header(self, name: str) -> str | None:
        found = [value for known, value in self.headers if known == name]
        assert len(found) < 2, f"{name} was sent twice"
        return found[0] if found else None


class Connection:
    """One connection from the proxy. `closed` is set when the proxy closes it, `ended` says how."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.requests: list[Received] = []
        self.closed = asyncio.Event()
        self.ended: Literal["fin", "rst"] | None = None
        self.more = asyncio.Condition()
        self._used = 0

    async def pump(self, reader: asyncio.StreamReader, reads: Reads) -> None:
        """Write down what comes until the proxy closes, or until there is enough."""
        try:
            while not self._is_enough(reads) and (data := await reader.read(65536)):
                self.received += data
                await self._tell()
            if self._is_enough(reads):
                return
            self.ended = "fin"
        except (ConnectionError, ssl.SSLError):
            self.ended = "rst"
        self.closed.set()
        await self._tell()

    async def next_request(self, reads: Reads) -> Received | None:
        """Wait for the next request; None if the proxy closed instead."""
        async with self.more:
            await self.more.wait_for(lambda: self._whole(reads) or self.closed.is_set())
        if (found := self._whole(reads)) is None:
            return None
        self._used += len(found.head) + len(found.framed)
        self.requests.append(found)
        return found

    def _whole(self, reads: Reads) -> Received | None:
        return cut_request(bytes(self.received[self._used :]), head_only=reads == "head")

    def _is_enough(self, reads: Reads) -> bool:
        return reads == "nothing" or (reads == "head" and b"\r\n\r\n" in self.received)

    async def _tell(self) -> None:
        async with self.more:
            self.more.notify_all()


def cut_request(data: bytes, *, head_only: bool = False) -> Received | None:
    """Return the first whole request in `data`, or None."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    found = Received(data[: end + 4], b"", b"")
    if head_only:
        return found
    framed = data[end + 4 :]
    if found.header("transfer-encoding") == "chunked":
        return _chunked(found.head, framed)
    length = int(found.header("content-length") or 0)
    if len(framed) < length:
        return None
    return Received(found.head, framed[:length], framed[:length])


def _chunked(request_head: bytes, framed: bytes) -> Received | None:
    body, place = b"", 0
    while (end := framed.find(b"\r\n", place)) >= 0:
        size = int(framed[place:end], 16)
        start = end + 2
        if len(framed) < start + size + 2:
            return None
        body += framed[start : start + size]
        place = start + size + 2
        if size == 0:
            return Received(request_head, framed[:place], body)
    return None


class ScriptedVendor:
    """Plays `script` for each request on each connection, inside `async with`.

    `greeting` is played before any request. `reads` says how much of a request is taken from the
    socket before the script begins: `head` and `nothing` leave the body to fill the buffers.
    """

    def __init__(
        self,
        *script: Step,
        greeting: Sequence[Step] = (),
        reads: Reads = "all",
        tls: ssl.SSLContext | None = None,
        receive_buffer_bytes: int = 0,
    ) -> None:
        self.script = script
        self.greeting = greeting
        self.reads = reads
        self.tls = tls
        self.receive_buffer_bytes = receive_buffer_bytes
        self.connections: list[Connection] = []
        self.said_bytes = 0
        self._queue: deque[Sequence[Step]] = deque()
        self._listening = Listening(self._accept)
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        # With the protocol named, asyncio switches Nagle's algorithm off: a step is sent when it
        # is played, and a reset cannot overtake it.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if self.receive_buffer_bytes:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer_bytes)
        listener.bind(("127.0.0.1", 0))
        await self._listening.start(sock=listener, ssl=self.tls, limit=4096)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._listening.close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._listening.port}"

    @property
    def requests(self) -> list[Received]:
        """All requests so far, by connection."""
        return [request for known in self.connections for request in known.requests]

    def play(self, *script: Step) -> None:
        """Answer the next request, after those that have one, by this script."""
        self._queue.append(script)

    def forget(self) -> None:
        """Drop the scripts that no request has used."""
        self._queue.clear()

    async def connected(self, count: int = 1) -> Connection:
        """Wait for the proxy's connection number `count`."""
        await self._until(lambda: len(self.connections) >= count)
        return self.connections[count - 1]

    async def received(self, count: int = 1) -> Received:
        """Wait until `count` requests came in all; return the last one."""
        await self._until(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    async def said_until_blocked(self, quiet_s: float = 0.3) -> int:
        """Wait until nothing more can be said for `quiet_s`; return how many bytes were said."""
        before = -1
        while before != self.said_bytes:
            before = self.said_bytes
            await asyncio.sleep(quiet_s)
        return before

    async def _until(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(predicate)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        self.connections.append(connection)
        await self._tell()
        pump = asyncio.create_task(connection.pump(reader, self.reads))
        try:
            await self._serve(connection, writer)
        except (ConnectionError, ssl.SSLError):
            pass  # the proxy went while we spoke; the pump noticed too
        finally:
            pump.cancel()
            writer.transport.abort()

    async def _serve(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        await self._play(self.greeting, connection, writer)
        if self.reads == "nothing":
            await self._play(self.script, connection, writer)
        while await connection.next_request(self.reads) is not None:
            await self._tell()
            script = self._queue.popleft() if self._queue else self.script
            await self._play(script, connection, writer)

    async def _play(
        self, script: Sequence[Step], connection: Connection, writer: asyncio.StreamWriter
    ) -> None:
        for step in script:
            match step:
                case Say(data):
                    writer.write(data)
                    await writer.drain()
                    self.said_bytes += len(data)
                    await asyncio.sleep(0)  # one step is one read for the other side, mostly
                case Stall():
                    await _stall(step, connection)
                case Cut():
                    raw = writer.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    writer.transport.abort()
                    raise ConnectionAbortedError
                case Fin():
                    _finish(writer)
                    await connection.closed.wait()
                    raise ConnectionAbortedError

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _finish(writer: asyncio.StreamWriter) -> None:
    """Send FIN; keep reading where that is possible, to see what the proxy does."""
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def _stall(step: Stall, connection: Connection) -> None:
    until = step.until or connection.closed
    try:
        async with asyncio.timeout(step.seconds):
            await until.wait()
    except TimeoutError:
        pass

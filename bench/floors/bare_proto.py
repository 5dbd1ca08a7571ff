"""Floor: a pass-through on asyncio protocols, uvloop and httptools.   bare_proto.py PORT VENDOR_URL

A lower bound for what Python can do, not a server: no pipelining, no deadlines, no limits, no
back-pressure, no logs; an upstream that breaks closes the app's connection.
"""

from __future__ import annotations

import asyncio
import sys
import urllib.parse

import httptools
import uvloop

ONE_CONNECTION = {b"content-length", b"transfer-encoding", b"connection", b"keep-alive"}
DROPPED = ONE_CONNECTION | {b"host", b"expect"}


class Upstream(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, pool: list[Upstream]) -> None:
        self._pool = pool
        self.client: Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, client: Client, request: bytes) -> None:
        self.client = client
        self._head: list[bytes] = []
        self._parts: list[bytes] = []
        self._length: bytes | None = None
        self._streaming = False
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length":
            self._length = value
        if name not in ONE_CONNECTION:
            self._head.append(name + b": " + value + b"\r\n")

    def on_headers_complete(self) -> None:
        self._head.insert(0, b"HTTP/1.1 %d OK\r\n" % self._parser.get_status_code())
        if self._length is None:
            self._streaming = True
            self._head.append(b"transfer-encoding: chunked\r\n\r\n")
            assert self.client is not None
            self.client.transport.write(b"".join(self._head))
        else:
            self._head.append(b"content-length: " + self._length + b"\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        if self._streaming:
            assert self.client is not None
            self.client.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        client, self.client = self.client, None
        assert client is not None
        last = b"0\r\n\r\n" if self._streaming else b"".join(self._head + self._parts)
        client.transport.write(last)
        client.upstream = None
        if self._parser.should_keep_alive():
            self._pool.append(self)
        else:
            self.transport.close()
        if not client.keep:
            client.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._pool:
            self._pool.remove(self)
        if self.client:
            self.client.transport.close()


class Client(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, vendor: urllib.parse.SplitResult, pool: list[Upstream]) -> None:
        self._vendor = vendor
        self._pool = pool
        self.upstream: Upstream | None = None
        self.keep = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers: list[bytes] = []
        self._parts: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in DROPPED:
            self._headers.append(name + b": " + value + b"\r\n")

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        self.keep = self._parser.should_keep_alive()
        body = b"".join(self._parts)
        host = b" HTTP/1.1\r\nhost: " + self._vendor.netloc.encode() + b"\r\n"
        length = b"content-length: %d\r\n\r\n" % len(body)
        request = b"".join((b"POST ", self._url, host, *self._headers, length, body))
        if self._pool:
            self.upstream = self._pool.pop()
            self.upstream.send(self, request)
        else:
            self._opening = asyncio.get_running_loop().create_task(self._open(request))

    async def _open(self, request: bytes) -> None:
        host, port = self._vendor.hostname or "127.0.0.1", self._vendor.port or 80
        _, self.upstream = await asyncio.get_running_loop().create_connection(
            lambda: Upstream(self._pool), host, port
        )
        self.upstream.send(self, request)

    def connection_lost(self, error: Exception | None) -> None:
        if self.upstream:
            self.upstream.client = None
            self.upstream.transport.close()


async def main() -> None:
    port, vendor = int(sys.argv[1]), urllib.parse.urlsplit(sys.argv[2])
    pool: list[Upstream] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Client(vendor, pool), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())

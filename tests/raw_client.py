"""An app on a raw socket: sends exact bytes, reads an answer with a parser of its own.

Deliberately small and strict: what it does not expect is an assertion error. It tells a tidy end
of a body from a broken connection, which no HTTP library shows as plainly.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Self

PATIENCE_S = 10.0

Ending = Literal["tidy", "cut", "reset"]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """`body` is without framing, as far as it came. `ending` says how: only `tidy` is whole.

    `informational` are the status codes of the 1xx answers before it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    ending: Ending
    informational: list[int] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        found = [value for known, value in self.headers if known == name]
        assert len(found) < 2, f"{name} came twice"
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawApp:
    """One connection to the proxy. Answers are read in the order of the requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, *, to_head: bool = False) -> RawAnswer:
        """Read one answer; `to_head` for the answer to a HEAD request, which has no body."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._answer(to_head)

    async def closed(self) -> Ending:
        """Wait until the proxy closes; return how. Raises if it says anything more."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                more = await self._reader.read(65536)
            except ConnectionError:
                return "reset"
        assert not more, f"the proxy said {more!r}"
        return "cut"

    async def read_some(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.read(65536)

    async def read_to_end(self) -> bytes:
        """Return what comes until the proxy closes."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.read()

    def leave(self) -> None:
        self._writer.close()

    def vanish(self) -> None:
        self._writer.transport.abort()

    async def _answer(self, to_head: bool) -> RawAnswer:
        informational: list[int] = []
        while True:
            status, headers = await self._head()
            if status >= 200:
                break
            informational.append(status)
        body, ending = await self._body(status, headers, to_head)
        return RawAnswer(status, headers, body, ending, informational)

    async def _head(self) -> tuple[int, list[tuple[str, str]]]:
        raw = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = raw.split("\r\n")[:-2]
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1", line
        pairs = (text.partition(":") for text in fields)
        return int(status), [(name.lower(), value.strip()) for name, _, value in pairs]

    async def _body(
        self, status: int, headers: list[tuple[str, str]], to_head: bool
    ) -> tuple[bytes, Ending]:
        framing = dict(headers)
        if to_head or status in (204, 304):
            return b"", "tidy"
        if framing.get("transfer-encoding") == "chunked":
            assert "content-length" not in framing
            return await self._chunks()
        if "content-length" in framing:
            return await self._exactly(int(framing["content-length"]))
        return await self._to_the_end()

    async def _chunks(self) -> tuple[bytes, Ending]:
        body = bytearray()
        while True:
            try:
                size = int((await self._reader.readuntil(b"\r\n"))[:-2], 16)
                piece = await self._reader.readexactly(size + 2)
            except asyncio.IncompleteReadError as short:
                return bytes(body + short.partial), "cut"
            except ConnectionError:
                return bytes(body), "reset"
            assert piece.endswith(b"\r\n"), "a chunk is longer than it said"
            if size == 0:
                return bytes(body), "tidy"
            body += piece[:-2]

    async def _exactly(self, length: int) -> tuple[bytes, Ending]:
        try:
            return await self._reader.readexactly(length), "tidy"
        except asyncio.IncompleteReadError as short:
            return short.partial, "cut"
        except ConnectionError:
            return b"", "reset"

    async def _to_the_end(self) -> tuple[bytes, Ending]:
        try:
            return await self._reader.read(), "tidy"
        except ConnectionError:
            return b"", "reset"

    @classmethod
    async def connect(cls, address: tuple[str, int]) -> Self:
        # Twice the limit is read ahead; nothing here depends on reading more.
        return cls(*await asyncio.open_connection(*address, limit=2**16))


@asynccontextmanager
async def raw_app(address: tuple[str, int]):
    app = await RawApp.connect(address)
    try:
        yield app
    finally:
        app.vanish()


def request(
    body: bytes | str | dict[str, Any],
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Return a request's bytes, with the headers that every app sends."""
    encoded = json.dumps(body) if isinstance(body, dict) else body
    data = encoded.encode() if isinstance(encoded, str) else encoded
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: proxy.test",
        "Authorization: Bearer sk-app-0000",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in headers),
        f"Content-Length: {len(data)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + data

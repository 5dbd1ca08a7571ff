"""A server that speaks the store's protocol and says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.listening import listening


class Scripted:
    """Says for each word in `answers` that is in a request the text beside it, in the order of the
    words there; with `answers` None it takes connections and says nothing."""

    def __init__(self, answers: Mapping[bytes, bytes] | None) -> None:
        self.answers = answers
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.read(65536):
                if self.answers is not None:
                    known = {b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n", **self.answers}
                    said = {request.find(word): text for word, text in known.items()}
                    writer.write(b"".join(said[at] for at in sorted(said) if at >= 0))
        finally:
            writer.transport.abort()


@asynccontextmanager
async def scripted(answers: Mapping[bytes, bytes] | None) -> AsyncIterator[Scripted]:
    server = Scripted(answers)
    async with listening(server.serve) as server.port:
        yield server


def bulk(text: str) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text.encode())


def mapping(**fields: str | int) -> bytes:
    """Return a map of strings, as a sentinel describes what it watches."""
    texts = (bulk(name.replace("_", "-")) + bulk(str(value)) for name, value in fields.items())
    return b"%%%d\r\n" % len(fields) + b"".join(texts)

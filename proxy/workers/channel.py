"""A private pipe between a supervisor and a worker: one JSON message a line, in both directions."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

Received = TypeVar("Received")

# Metrics of 2,000 series take 300 KB, the status of a proxy with thousands of pins a megabyte.
MAX_MESSAGE_BYTES = 64 * 2**20


class Channel(Generic[Received]):
    """One end. The other end's process is gone when `receive` returns None."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: Any
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder: msgspec.json.Decoder[Received] = msgspec.json.Decoder(kind)

    @classmethod
    async def open(cls, end: socket.socket, kind: Any) -> Channel[Received]:
        """Use `end` of a socket pair; what is received is of the union `kind`."""
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=MAX_MESSAGE_BYTES)
        return cls(reader, writer, kind)

    def send(self, message: msgspec.Struct) -> None:
        """Send `message`; who is gone does not miss it."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def receive(self) -> Received | None:
        """Return the next message; None when no more will come."""
        try:
            line = await self._reader.readline()
            return self._decoder.decode(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            # Half a message, or one of another release: the two do not understand each other.
            return None

    async def close(self) -> None:
        """Close after what was sent is on its way."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

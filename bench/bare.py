"""The least that can confirm a pin through Redis: the floor that a fleet is compared with.

One connection that subscribes, reads the pin when it is told, and writes the lease that a proxy
would write. Nothing is fetched, verified, compiled or saved.
"""

from __future__ import annotations

import asyncio

import hiredis

from bench.versions import MODEL
from proxy.store import records
from proxy.store.base import MISSED_S
from proxy.store.redis_keys import Keys
from proxy.versions.record import PROD, Member

# As often as a proxy renews its lease.
RENEWED_S = 1.0


class Bare(asyncio.Protocol):
    """`over` is set when the connection ends."""

    _transport: asyncio.Transport

    def __init__(self, name: str) -> None:
        self.over = asyncio.Event()
        self._name = name
        self._keys = Keys()
        self._reader = hiredis.Reader()
        self._member = Member(name, 0, {})
        self._renewing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is of no class of asyncio
        self._send("HELLO", "3")
        self._send("SUBSCRIBE", self._keys.changes)
        self._send("GET", self._keys.pin((MODEL, PROD)))
        self._renew()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            if isinstance(answer, hiredis.PushNotification) and answer[0] == b"message":
                self._send("GET", self._keys.pin((MODEL, PROD)))
            elif isinstance(answer, bytes) and b"|" in answer:
                epoch, served, *_ = answer.decode().split("|")
                self._member = Member(self._name, int(epoch), {f"{MODEL}@{PROD}": served})
                self._report()

    def connection_lost(self, error: Exception | None) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        self.over.set()

    def _renew(self) -> None:
        self._report()
        self._renewing = asyncio.get_running_loop().call_later(RENEWED_S, self._renew)

    def _report(self) -> None:
        kept_ms = str(int(MISSED_S * 1000))
        lease = self._keys.member(self._name)
        self._send("SET", lease, records.encode(self._member), "PX", kept_ms)
        self._send("SADD", self._keys.members, self._name)

    def _send(self, *words: str) -> None:
        # Its types speak of a tuple of one.
        self._transport.write(hiredis.pack_command(words))  # type: ignore[arg-type]

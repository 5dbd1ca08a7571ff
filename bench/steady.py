"""A steady load, whatever the answers do: `python -m bench.steady < SPEC`.

Requests begin at their time, not when an earlier one is answered, and their latency counts from
that time: a proxy that stands still for a second is seen by every request of that second. Some are
streams; each is checked whole, and the vendor's send time in each chunk shows how long it was under
way.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httptools
import uvloop

from bench import streams
from bench.streams import Ended, percentile

# Far above what a healthy run needs: 200 a second at a millisecond each.
MOST_CONNECTIONS = 256
ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Spec:
    """`per_s` requests begin each second for `seconds`; one in `stream_each` is a stream of
    `chunks`."""

    port: int
    request: str
    stream: str
    chunks: int
    seconds: float
    per_s: float
    stream_each: int


class Plain(asyncio.Protocol):
    """One connection for requests that are answered whole."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._ended: asyncio.Future[Ended] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is of no class of asyncio

    def ask(self, request: bytes) -> asyncio.Future[Ended]:
        self._ended = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = 0
        self.transport.write(request)
        return self._ended

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"not HTTP: {error!r}", keep=False)

    def on_body(self, data: bytes) -> None:
        self._body += len(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        why = "" if status == 200 and self._body else f"status {status}"
        self._end(why, keep=self._parser.should_keep_alive())

    def connection_lost(self, error: Exception | None) -> None:
        self._end("closed", keep=False)

    def _end(self, why: str, *, keep: bool) -> None:
        if self._ended is not None and not self._ended.done():
            now = time.monotonic_ns()
            self._ended.set_result(Ended(why, now, now, keep))


@dataclass(slots=True)
class Tally:
    latency_us: list[int] = field(default_factory=list)
    streamed: streams.Tally = field(default_factory=streams.Tally)
    failed: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)


class Load:
    """Sends what `spec` says; `tally` is what came of it."""

    def __init__(self, spec: Spec) -> None:
        self.tally = Tally()
        self._spec = spec
        self._request = spec.request.encode("latin-1")
        self._streamed = streams.Spec(spec.port, spec.stream, 1, 0, 0, spec.chunks)
        self._idle: list[Plain] = []
        self._open = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(int(self._spec.seconds * self._spec.per_s)):
                due = began + number / self._spec.per_s
                await asyncio.sleep(max(0.0, due - loop.time()))
                if number % self._spec.stream_each == 0:
                    group.create_task(self._stream())
                else:
                    group.create_task(self._plain(due - loop.time()))
        for connection in self._idle:
            connection.transport.close()

    async def _plain(self, early_s: float) -> None:
        """Send one request, which was due `early_s` from now; it is below 0."""
        began = time.monotonic_ns() + int(early_s * 1e9)
        try:
            connection = await self._connection()
        except OSError as error:
            self.tally.failed[type(error).__name__] += 1
            return
        ended = await _answered(connection, self._request)
        if ended.keep:
            self._idle.append(connection)
        else:
            connection.transport.close()
            self._open -= 1
        if ended.why:
            self.tally.failed[ended.why] += 1
        self.tally.latency_us.append((ended.last_ns - began) // 1000)

    async def _connection(self) -> Plain:
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
            self._open -= 1
        if self._open >= MOST_CONNECTIONS:
            raise ConnectionError("too many requests wait")
        self._open += 1
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Plain, "127.0.0.1", self._spec.port)
        return connection

    async def _stream(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                _, stream = await loop.create_connection(
                    lambda: streams.Stream(self._streamed, self.tally.streamed),
                    "127.0.0.1",
                    self._spec.port,
                )
                ended = await stream.ask()
        except (OSError, TimeoutError) as error:
            self.tally.broken[type(error).__name__] += 1
            return
        stream.transport.close()
        if ended.why:
            self.tally.broken[ended.why] += 1
        else:
            self.tally.streamed.whole += 1


async def _answered(connection: Plain, request: bytes) -> Ended:
    try:
        return await asyncio.wait_for(connection.ask(request), ANSWER_LIMIT_S)
    except TimeoutError:
        now = time.monotonic_ns()
        return Ended("timeout", now, now, keep=False)


def summary(tally: Tally) -> dict[str, Any]:
    """Return what a phase shows; `reasons` names what failed, and how often."""
    lags = tally.streamed.lag_us
    return {
        "requests": len(tally.latency_us),
        "failed": sum(tally.failed.values()),
        "p50_us": percentile(tally.latency_us, 0.5),
        "p99_us": percentile(tally.latency_us, 0.99),
        "max_us": max(tally.latency_us, default=None),
        "streams": tally.streamed.whole,
        "broken_streams": sum(tally.broken.values()),
        "lag_p99_us": percentile(lags, 0.99),
        "lag_max_us": max(lags, default=None),
        "reasons": {**tally.failed, **{f"stream: {k}": n for k, n in tally.broken.items()}},
    }


async def _main(spec: Spec) -> dict[str, Any]:
    load = Load(spec)
    await load.run()
    return summary(load.tally)


def main() -> None:
    print(json.dumps(uvloop.run(_main(Spec(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()

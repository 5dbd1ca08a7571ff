"""Many server-sent event streams at once, from one process: `python -m bench.streams < SPEC`.

The vendor writes its send time into every chunk (`" wK_T"`, microseconds of the machine's
monotonic clock), so the delay of each chunk is known. Every stream is checked whole: all chunks
in order, finish reason, usage, end marker.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httptools
import uvloop

CHUNK = re.compile(rb'"content":\s*" w(\d+)_(\d+)"')
FINISHED = re.compile(rb'"finish_reason":\s*"stop"')
DONE = re.compile(rb"data: ?\[DONE\]")

# What the vendor says it was asked, in tokens; the chunks come on top.
PROMPT_TOKENS = 263

STREAM_LIMIT_S = 60

_N = TypeVar("_N", int, float)


@dataclass(frozen=True, slots=True)
class Spec:
    """`streams` at once, each replaced when it ends, for `seconds`; begun over `spread_s`."""

    port: int
    request: str
    streams: int
    seconds: float
    spread_s: float
    chunks: int


@dataclass(slots=True)
class Tally:
    ttft_us: list[int] = field(default_factory=list)
    duration_us: list[int] = field(default_factory=list)
    lag_us: list[int] = field(default_factory=list)
    whole: int = 0
    chunks: int = 0
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a stream ended: what was wrong with it (empty: nothing), and when."""

    why: str
    first_ns: int | None
    last_ns: int
    keep: bool


class Stream(asyncio.Protocol):
    """One connection, used for one stream after the other."""

    transport: asyncio.Transport

    def __init__(self, spec: Spec, tally: Tally) -> None:
        self._spec = spec
        self._tally = tally
        self._ended: asyncio.Future[Ended] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def ask(self) -> asyncio.Future[Ended]:
        self._ended = asyncio.get_running_loop().create_future()
        self.began_ns = time.monotonic_ns()
        self._first_ns: int | None = None
        self._rest = b""
        self._seen = 0
        self._in_order = True
        self._marks: set[str] = set()
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(self._spec.request.encode("latin-1"))
        return self._ended

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"not HTTP: {error!r}", keep=False)

    def on_body(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self._first_ns is None and b"data:" in data:
            self._first_ns = now
        events, edge, rest = (self._rest + data).rpartition(b"\n\n")
        self._rest = rest
        if edge:
            self._read(events, now // 1000)

    def _read(self, events: bytes, now_us: int) -> None:
        for number, sent_us in CHUNK.findall(events):
            self._seen += 1
            self._in_order &= int(number) == self._seen
            self._tally.lag_us.append(now_us - int(sent_us))
            self._tally.chunks += 1
        if self._seen >= self._spec.chunks:
            total = rb'"total_tokens":\s*%d' % (PROMPT_TOKENS + self._spec.chunks)
            found = {"finish": FINISHED, "usage": re.compile(total), "DONE": DONE}
            self._marks |= {name for name, mark in found.items() if mark.search(events)}

    def on_message_complete(self) -> None:
        self._end(self._complaint(), keep=self._parser.should_keep_alive())

    def _complaint(self) -> str:
        status = self._parser.get_status_code()
        if status != 200:
            return f"status {status}"
        if not self._in_order or self._seen != self._spec.chunks:
            return "chunks lost or out of order"
        missing = sorted({"finish", "usage", "DONE"} - self._marks)
        return f"no {missing[0]}" if missing else ""

    def _end(self, why: str, *, keep: bool) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(Ended(why, self._first_ns, time.monotonic_ns(), keep))

    def connection_lost(self, error: Exception | None) -> None:
        self._end("closed", keep=False)


async def _play(spec: Spec, tally: Tally, place: int, until: float) -> None:
    """Keep one stream running until the end of the run."""
    await asyncio.sleep(spec.spread_s * place / spec.streams)
    stream: Stream | None = None
    while time.monotonic() < until:
        if stream is None or stream.transport.is_closing():
            stream = await _connect(spec, tally)
        if stream is not None and not await _once(stream, tally):
            stream = None
    if stream is not None:
        stream.transport.close()


async def _connect(spec: Spec, tally: Tally) -> Stream | None:
    loop = asyncio.get_running_loop()
    try:
        _, stream = await loop.create_connection(
            lambda: Stream(spec, tally), "127.0.0.1", spec.port
        )
    except OSError:
        tally.wrong["not connected"] += 1
        await asyncio.sleep(0.1)
        return None
    return stream


async def _once(stream: Stream, tally: Tally) -> bool:
    """Play one stream; say whether its connection can be used again."""
    try:
        ended = await asyncio.wait_for(stream.ask(), STREAM_LIMIT_S)
    except TimeoutError:
        ended = Ended("timeout", None, 0, keep=False)
    if ended.why:
        tally.wrong[ended.why] += 1
    elif ended.first_ns is not None:
        tally.whole += 1
        tally.ttft_us.append((ended.first_ns - stream.began_ns) // 1000)
        tally.duration_us.append((ended.last_ns - stream.began_ns) // 1000)
    if not ended.keep:
        stream.transport.close()
    return ended.keep


def percentile(values: Sequence[_N], share: float) -> _N | None:
    """Return the smallest value that is not below `share` of the others; None of none."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def summary(tally: Tally, took_s: float) -> dict[str, Any]:
    return {
        "whole": tally.whole,
        "wrong": dict(tally.wrong),
        "chunks": tally.chunks,
        "took_s": took_s,
        "ttft_p50_us": percentile(tally.ttft_us, 0.5),
        "ttft_p99_us": percentile(tally.ttft_us, 0.99),
        "duration_p50_us": percentile(tally.duration_us, 0.5),
        "lag_p50_us": percentile(tally.lag_us, 0.5),
        "lag_p99_us": percentile(tally.lag_us, 0.99),
    }


async def play(spec: Spec) -> dict[str, Any]:
    tally = Tally()
    began = time.monotonic()
    until = began + spec.seconds
    async with asyncio.TaskGroup() as group:
        for place in range(spec.streams):
            group.create_task(_play(spec, tally, place, until))
    return summary(tally, time.monotonic() - began)


def main() -> None:
    print(json.dumps(uvloop.run(play(Spec(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()

"""Request lines, finished and written in batches.

Encoding a line and counting it takes longer than all else that ends a request, and two thirds of
that is code and tables coming back into the processor's caches. Done for many requests in a row it
costs a third. A line still appears well within 100 ms of its request's end.
"""

from __future__ import annotations

import asyncio
import time

from proxy.observe.clock import Timestamps, milliseconds, wall_s
from proxy.observe.log_sink import LogSink
from proxy.observe.request_line import RequestLine, encode
from proxy.observe.stats import Stats

BATCH_S = 0.02


class RequestLog:
    """Takes the lines of requests that ended; writes and counts them `BATCH_S` later."""

    def __init__(
        self, sink: LogSink, stats: Stats, loop: asyncio.AbstractEventLoop, *, enabled: bool
    ) -> None:
        self._sink = sink
        self._stats = stats
        self._loop = loop
        self._enabled = enabled
        self._timestamps = Timestamps()
        self._ended: list[tuple[RequestLine, float, float]] = []

    def add(self, line: RequestLine, arrived: float) -> None:
        """Take the line of a request that ends now and whose last byte was read at `arrived`."""
        if not self._ended:
            self._loop.call_later(BATCH_S, self.write_out)
        self._ended.append((line, arrived, time.perf_counter()))

    def write_out(self) -> None:
        """Write what has been taken so far."""
        ended, self._ended = self._ended, []
        # What the clock of the wall shows at 0 on the other one.
        zero = wall_s() - time.perf_counter()
        for line, arrived, end in ended:
            line.ts = self._timestamps.at(zero + end)
            line.duration_ms = milliseconds(end - arrived)
            self._stats.count(line)
            if self._enabled:
                self._sink.write(encode(line))

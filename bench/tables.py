"""Which columns the report's tables have: headings, and where in a record their figures lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Figures(Protocol):
    def median(self, target: str, path: str) -> float | None: ...

    def most(self, target: str, path: str) -> float | None: ...

    def ratio(self, target: str, path: str, base: str) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and what a target's cell shows: a value times `scale`, or a ratio, to the same
    figure of the target `base`, or to another figure (`over`) of its own. `most`: the largest of
    the rounds instead of their median."""

    heading: str
    path: str
    digits: int = 0
    scale: float = 1
    base: str = ""
    over: str = ""
    most: bool = False
    percent: bool = False

    def cell(self, figures: Figures, target: str) -> str:
        value = self._value(figures, target)
        if value is None:
            return "-"
        return (
            f"{value:.{self.digits}%}" if self.percent else f"{value * self.scale:.{self.digits}f}"
        )

    def _value(self, figures: Figures, target: str) -> float | None:
        if self.base:
            return figures.ratio(target, self.path, self.base)
        if self.most:
            return figures.most(target, self.path)
        value = figures.median(target, self.path)
        if not self.over:
            return value
        other = figures.median(target, self.over)
        return value / other if value is not None and other else None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows are sorted by the first column, or stay in the order in which they were measured."""

    title: str
    columns: tuple[Column, ...]
    sort: bool = True
    what: str = "target"


KB_TO_MB = 1 / 1024
US_TO_MS = 1 / 1000

SMALL = (
    Column("CPU µs/request", "small.c32.cpu_us", 1),
    Column("× nginx", "small.c32.cpu_us", 2, base="nginx"),
    Column("× aiohttp", "small.c32.cpu_us", 2, base="bare-aiohttp"),
    Column("requests/s", "small.c32.per_s"),
    Column("× aiohttp", "small.c32.per_s", 2, base="bare-aiohttp"),
    Column("p50 ms", "small.c32.p50_us", 2, US_TO_MS),
    Column("p99 ms", "small.c32.p99_us", 2, US_TO_MS),
    Column("added p50 µs, 1 connection", "small.added_p50_us"),
    Column("added p99 µs", "small.added_p99_us"),
    Column("start s", "small.startup_s", 2),
    Column("noise", "small.c32.noise", 1, percent=True),
)
STREAM = (
    Column("CPU µs/chunk", "stream.cpu_us_chunk", 1),
    Column("× nginx", "stream.cpu_us_chunk", 2, base="nginx"),
    Column("× aiohttp", "stream.cpu_us_chunk", 2, base="bare-aiohttp"),
    Column("first chunk +p50 ms", "stream.added_ttft_p50_us", 2, US_TO_MS),
    Column("+p99 ms", "stream.added_ttft_p99_us", 2, US_TO_MS),
    Column("chunk lag p50 ms", "stream.lag_p50_us", 2, US_TO_MS),
    Column("p99 ms", "stream.lag_p99_us", 2, US_TO_MS),
    Column("streams", "stream.whole"),
    Column("noise", "stream.noise", 1, percent=True),
)
LARGE = (
    Column("CPU µs/request", "large.cpu_us"),
    Column("× nginx", "large.cpu_us", 2, base="nginx"),
    Column("× aiohttp", "large.cpu_us", 2, base="bare-aiohttp"),
    Column("requests/s", "large.per_s"),
    Column("p50 ms", "large.p50_us", 2, US_TO_MS),
    Column("memory after MB", "large.rss_kb", 0, KB_TO_MB),
    Column("noise", "large.noise", 1, percent=True),
)
MEMORY = (
    Column("idle MB", "memory.rss_idle_kb", 1, KB_TO_MB),
    Column("idle CPU ms/s", "memory.idle_us_per_s", 2, US_TO_MS),
    Column("KB/open stream", "memory.rss_stream_kb", 1),
    Column("at 1,000 streams MB", "memory.rss_peak_kb", 1, KB_TO_MB),
)
CONFIRMED = (
    Column("p50 ms", "pins.p50_ms", 1),
    Column("p95 ms", "pins.p95_ms", 1),
    Column("p99 ms", "pins.p99_ms", 1),
    Column("max ms", "pins.max_ms", 1, most=True),
    Column("floor p50 ms", "floor.p50_ms", 1),
    Column("floor p99 ms", "floor.p99_ms", 1),
    Column("p50 × floor", "pins.p50_ms", 1, over="floor.p50_ms"),
    Column("p99 × floor", "pins.p99_ms", 1, over="floor.p99_ms"),
    Column("prepared p50 ms", "pins.prepared_p50_ms", 1),
    Column("p99 ms", "pins.prepared_p99_ms", 1),
    Column("pins", "pins.pins"),
    Column("not by all", "pins.unconfirmed", most=True),
    Column("noise", "pins.noise", 0, percent=True),
)
SPENT = (
    Column("store ms/pin", "pins.store_us", 2, US_TO_MS),
    Column("floor", "floor.store_us", 2, US_TO_MS),
    Column("one member ms/pin", "pins.member_us", 2, US_TO_MS),
    Column("floor", "floor.member_us", 2, US_TO_MS),
    Column("operator ms/pin", "pins.operator_us", 2, US_TO_MS),
    Column("floor", "floor.operator_us", 2, US_TO_MS),
    Column("store at rest ms/s", "pins.rest_store_us_s", 2, US_TO_MS),
    Column("one member at rest ms/s", "pins.rest_member_us_s", 2, US_TO_MS),
)
COMMAND = (
    Column("from start to end of the command ms", "pins.command_ms"),
    Column("of which it reports ms", "pins.command_elapsed_ms", 1),
)
OUTAGE = (
    Column("requests", "outage.requests"),
    Column("failed", "outage.failed", most=True),
    Column("p50 ms", "outage.p50_us", 2, US_TO_MS),
    Column("p99 ms", "outage.p99_us", 2, US_TO_MS),
    Column("longest ms", "outage.max_us", 1, US_TO_MS, most=True),
    Column("streams", "outage.streams"),
    Column("broken", "outage.broken_streams", most=True),
    Column("chunk lag p99 ms", "outage.lag_p99_us", 2, US_TO_MS),
    Column("longest ms", "outage.lag_max_us", 1, US_TO_MS, most=True),
    Column("loop lag ms", "outage.loop_lag_ms", 1, most=True),
    Column("follows again s", "outage.follows_s", 2),
    Column("pin confirmed s", "outage.confirmed_s", 2),
    Column("at most s", "outage.most_confirmed_s", 2, most=True),
    Column("of", "outage.times"),
    Column("noise", "outage.noise", 0, percent=True),
)
START = (
    Column("first answer s", "start.first_s", 2),
    Column("CPU s until then", "start.cpu_s", 2),
    Column("its status", "start.status"),
    Column("retry-after s", "start.retry_after_s"),
    Column("store back to first 200 s", "start.healed_s", 2),
)

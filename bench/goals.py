"""What this proxy has to reach, as a table: always against a reference of the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

SMALL_CPU = "small.c32.cpu_us"

PROXY = "proxy"
FILLED = "proxy-many"
NGINX = "nginx"
AIOHTTP = "bare-aiohttp"

MB_IN_KB = 1024


class Medians(Protocol):
    def median(self, target: str, path: str) -> float | None: ...

    def ratio(self, target: str, path: str, base: str) -> float | None: ...

    def gateways(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Goal:
    """`measured` gives None where the run does not tell."""

    what: str
    wanted: str
    measured: Callable[[Medians], float | None]
    met: Callable[[float], bool]
    form: str

    def shown(self, value: float) -> str:
        return self.form.format(value)


def _ratio(path: str, base: str) -> Callable[[Medians], float | None]:
    return lambda medians: medians.ratio(PROXY, path, base)


def _median(path: str, scale: float = 1) -> Callable[[Medians], float | None]:
    def measured(medians: Medians) -> float | None:
        value = medians.median(PROXY, path)
        return None if value is None else value * scale

    return measured


def _next_to_gateways(medians: Medians) -> float | None:
    """Return the ratio to the cheapest other gateway that was measured."""
    ratios = [medians.ratio(PROXY, SMALL_CPU, name) for name in medians.gateways()]
    known = [ratio for ratio in ratios if ratio is not None]
    return max(known) if known else None


def _filled(medians: Medians) -> float | None:
    return medians.ratio(FILLED, SMALL_CPU, PROXY)


def _above_nginx(medians: Medians) -> float | None:
    ours = medians.median(PROXY, "small.added_p50_us")
    theirs = medians.median(NGINX, "small.added_p50_us")
    return None if ours is None or theirs is None else ours - theirs


GOALS = (
    Goal(
        "CPU per small request",
        "≤ 3 × nginx",
        _ratio(SMALL_CPU, NGINX),
        lambda ratio: ratio <= 3,
        "{:.2f} × nginx",
    ),
    Goal(
        "CPU per small request, next to other gateways",
        "below every one of them",
        _next_to_gateways,
        lambda ratio: ratio < 1,
        "{:.2f} × the cheapest",
    ),
    Goal(
        "CPU per SSE chunk",
        "≤ 1.5 × nginx",
        _ratio("stream.cpu_us_chunk", NGINX),
        lambda ratio: ratio <= 1.5,
        "{:.2f} × nginx",
    ),
    Goal(
        "CPU per 1 MB request",
        "≤ 4 × nginx",
        _ratio("large.cpu_us", NGINX),
        lambda ratio: ratio <= 4,
        "{:.2f} × nginx",
    ),
    Goal(
        "throughput of one core",
        "≥ 4 × a bare aiohttp pass-through",
        _ratio("small.c32.per_s", AIOHTTP),
        lambda ratio: ratio >= 4,
        "{:.2f} × bare aiohttp",
    ),
    Goal(
        "added latency, p50 at one connection",
        "within 40 µs of nginx's",
        _above_nginx,
        lambda difference: difference <= 40,
        "{:+.0f} µs",
    ),
    Goal(
        "memory of one idle proxy",
        "≤ 80 MB",
        _median("memory.rss_idle_kb", 1 / MB_IN_KB),
        lambda mb: mb <= 80,
        "{:.1f} MB",
    ),
    Goal(
        "memory per open stream",
        "≤ 24 KB",
        _median("memory.rss_stream_kb"),
        lambda kb: kb <= 24,
        "{:.1f} KB",
    ),
    Goal(
        "CPU with 10,000 versions, 1,000 models",
        "no measurable cost (5 %)",
        _filled,
        lambda ratio: ratio <= 1.05,
        "{:.2f} × with one",
    ),
    Goal(
        "start to first request",
        "≤ 1 s",
        _median("small.startup_s"),
        lambda s: s <= 1,
        "{:.2f} s",
    ),
)

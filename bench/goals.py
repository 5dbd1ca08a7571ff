"""What this proxy has to reach, as tables: against a reference of the same run, or where people
wait for it, in their seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

SMALL_CPU = "small.c32.cpu_us"

PROXY = "proxy"
FILLED = "proxy-many"
NGINX = "nginx"
AIOHTTP = "bare-aiohttp"

MB_IN_KB = 1024
US_IN_MS = 1000

FIFTY = "50 proxies"

HEALTHY = "healthy"
FAULTS = ("killed", "frozen", "cut off")
"""What happens to the store, in the order in which it does."""

# Starts, by what they find.
WITH_STORE = "store there"
KEPT = ("store gone, last known good", "store silent, last known good")
NOTHING = ("store gone, nothing kept", "store silent, nothing kept")


class Medians(Protocol):
    def median(self, target: str, path: str) -> float | None: ...

    def most(self, target: str, path: str) -> float | None: ...

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


def _of(target: str, path: str) -> Callable[[Medians], float | None]:
    return lambda medians: medians.median(target, path)


def _worst(
    targets: Sequence[str], path: str, scale: float = 1
) -> Callable[[Medians], float | None]:
    """Return the largest figure of any round of the targets; all of them have to be there."""

    def measured(medians: Medians) -> float | None:
        found = [medians.most(target, path) for target in targets]
        known = [value for value in found if value is not None]
        return max(known) * scale if len(known) == len(targets) else None

    return measured


def _slowest(targets: Sequence[str], path: str) -> Callable[[Medians], float | None]:
    """Return the largest of the targets' medians; all of them have to be there."""

    def measured(medians: Medians) -> float | None:
        found = [medians.median(target, path) for target in targets]
        known = [value for value in found if value is not None]
        return max(known) if len(known) == len(targets) else None

    return measured


def _above_healthy(path: str) -> Callable[[Medians], float | None]:
    """Return by how many milliseconds the worst kind of outage is above the healthy phase."""

    def measured(medians: Medians) -> float | None:
        found = [medians.median(target, path) for target in (HEALTHY, *FAULTS)]
        usual, *away = [value for value in found if value is not None] or [0.0]
        return (max(away) - usual) / US_IN_MS if len(away) == len(FAULTS) else None

    return measured


FLEET_GOALS = (
    Goal(
        "a pin confirmed by 50 proxies on one machine, p99",
        "≤ 50 ms",
        _of(FIFTY, "pins.p99_ms"),
        lambda ms: ms <= 50,
        "{:.1f} ms",
    ),
    Goal(
        "pins that not all 50 confirmed",
        "none",
        _worst((FIFTY,), "pins.unconfirmed"),
        lambda count: count == 0,
        "{:.0f}",
    ),
)
OUTAGE_GOALS = (
    Goal(
        "requests that failed while the store was away",
        "none",
        _worst((HEALTHY, *FAULTS), "outage.failed"),
        lambda count: count == 0,
        "{:.0f}",
    ),
    Goal(
        "streams that broke while the store was away",
        "none",
        _worst((HEALTHY, *FAULTS), "outage.broken_streams"),
        lambda count: count == 0,
        "{:.0f}",
    ),
    Goal(
        "latency p99 above the healthy phase",
        "≤ 5 ms",
        _above_healthy("outage.p99_us"),
        lambda ms: ms <= 5,
        "{:+.2f} ms",
    ),
    Goal(
        "longest that the event loop was blocked",
        "≤ 100 ms",
        _worst(FAULTS, "outage.loop_lag_ms"),
        lambda ms: ms <= 100,
        "{:.1f} ms",
    ),
    Goal(
        "longest lag of a chunk, from the vendor to the app",
        "≤ 100 ms",
        _worst(FAULTS, "outage.lag_max_us", 1 / US_IN_MS),
        lambda ms: ms <= 100,
        "{:.1f} ms",
    ),
    Goal(
        "store back until a pin made at once is confirmed, at most",
        "≤ 1 s",
        _worst(FAULTS, "outage.most_confirmed_s"),
        lambda s: s <= 1,
        "{:.2f} s",
    ),
)
START_GOALS = (
    Goal(
        "start to first answer, from last known good",
        "≤ 1 s",
        _slowest(KEPT, "start.first_s"),
        lambda s: s <= 1,
        "{:.2f} s",
    ),
    Goal(
        "store back to first 200, after a start with nothing",
        "≤ 1 s",
        _worst(NOTHING, "start.healed_s"),
        lambda s: s <= 1,
        "{:.2f} s",
    ),
)

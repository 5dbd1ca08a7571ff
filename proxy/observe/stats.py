"""Counters of requests, for the admin listener.

Labels come from closed sets only: version ids from the store, outcomes, dialects, status classes,
vendors from the settings, kinds of failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from proxy.observe.exposition import described
from proxy.observe.request_line import RequestLine

# Series are kept for ever, so their number is bounded; later combinations share one.
MOST_SERIES = 2000

Passed = tuple[str, str, int]
"""Vendor (or empty), outcome, status class."""

Series = tuple[str, str, str, int]
"""Version id (or empty), dialect, outcome, status class."""

OTHER: Series = ("other", "other", "other", 0)


@dataclass(slots=True)
class Stats:
    """`loop_lag_s` is how late the event loop came to a timer, at worst, of late."""

    in_flight: int = 0
    loop_lag_s: float = 0.0
    requests: Counter[Series] = field(default_factory=Counter)
    unmanaged: Counter[Passed] = field(default_factory=Counter)
    retries: Counter[tuple[str, str]] = field(default_factory=Counter)
    circuits_opened: Counter[str] = field(default_factory=Counter)

    def count(self, line: RequestLine) -> None:
        series = (line.version or "", line.dialect or "", line.outcome, line.status // 100)
        count = self.requests.get(series)
        if count is None and len(self.requests) >= MOST_SERIES:
            series, count = OTHER, self.requests[OTHER]
        self.requests[series] = (count or 0) + 1
        if line.unmanaged:
            self.unmanaged[line.vendor or "", line.outcome, line.status // 100] += 1

    def count_retry(self, vendor: str | None, failure: str) -> None:
        """Count an attempt that is followed by another one, by what it failed with."""
        self.retries[vendor or "", failure] += 1

    def lines(self) -> Iterator[str]:
        """Yield the counters in Prometheus' text format."""
        lag = "Longest delay of the event loop in the last minute or two."
        yield from described("proxy_loop_lag_seconds", "gauge", lag)
        yield f"proxy_loop_lag_seconds {self.loop_lag_s:.3f}"
        yield from described("proxy_requests_in_flight", "gauge", "Requests being answered.")
        yield f"proxy_requests_in_flight {self.in_flight}"
        yield from described("proxy_requests_total", "counter", "Requests that ended.")
        for (version, dialect, outcome, status), count in sorted(self.requests.items()):
            labels = f'version="{version}",dialect="{dialect}",outcome="{outcome}"'
            yield f'proxy_requests_total{{{labels},status="{status}xx"}} {count}'
        without = "Requests that were sent on without a version."
        yield from described("proxy_unmanaged_requests_total", "counter", without)
        for (vendor, outcome, status), count in sorted(self.unmanaged.items()):
            labels = f'vendor="{vendor}",outcome="{outcome}",status="{status}xx"'
            yield f"proxy_unmanaged_requests_total{{{labels}}} {count}"
        repeated = "Attempts that were followed by another, by what they failed with."
        yield from described("proxy_retries_total", "counter", repeated)
        for (vendor, failure), count in sorted(self.retries.items()):
            yield f'proxy_retries_total{{vendor="{vendor}",failure="{failure}"}} {count}'
        opened = "How often a target that kept failing was left alone."
        yield from described("proxy_circuits_opened_total", "counter", opened)
        for vendor, count in sorted(self.circuits_opened.items()):
            yield f'proxy_circuits_opened_total{{vendor="{vendor}"}} {count}'

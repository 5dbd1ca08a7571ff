"""Time for logs: of day, which only this place reads, and how long something took."""

from __future__ import annotations

import time


class Timestamps:
    """Writes the time of now; a second's text is made once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """Return now as RFC 3339 in UTC with milliseconds: `2026-11-23T14:18:00.123Z`."""
        return self.at(wall_s())

    def at(self, time_s: float) -> str:
        """Return a time of `wall_s`, written as `now` does."""
        second, rest_ms = divmod(int(time_s * 1000), 1000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{rest_ms:03d}Z"


def milliseconds(taken_s: float) -> float:
    """Return seconds as milliseconds with three decimals; `round` takes ten times as long."""
    return int(taken_s * 1_000_000) / 1000


def since_ms(began: float) -> float:
    """Return how long ago `began` was on the clock of `time.perf_counter`, in milliseconds."""
    return milliseconds(time.perf_counter() - began)


def wall_s() -> float:
    """Return the time of now, in seconds since 1970."""
    return time.time_ns() / 1e9


def timestamp() -> str:
    """Return now, as `Timestamps.now`, for lines that are rare."""
    return Timestamps().now()

"""Wall-clock time for logs, the only place that reads it."""

from __future__ import annotations

import time


class Timestamps:
    """Writes the time of now; a second's text is made once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """Return now as RFC 3339 in UTC with milliseconds: `2026-11-23T14:18:00.123Z`."""
        return self.ago(0.0)

    def ago(self, elapsed_s: float) -> str:
        """Return the time `elapsed_s` seconds ago, written as `now` does."""
        second, rest_ns = divmod(time.time_ns() - int(elapsed_s * 1e9), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{rest_ns // 1_000_000:03d}Z"


def timestamp() -> str:
    """Return now, as `Timestamps.now`, for lines that are rare."""
    return Timestamps().now()

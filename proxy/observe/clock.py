"""Wall-clock time for logs, the only place that reads it."""

from __future__ import annotations

import time


def timestamp() -> str:
    """Return now as RFC 3339 in UTC with milliseconds: `2026-11-23T14:18:00.123Z`."""
    now_ms = time.time_ns() // 1_000_000
    seconds, ms = divmod(now_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{ms:03d}Z"

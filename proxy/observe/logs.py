"""Log events: structlog into the sink, one JSON object a line.

The line of each request takes a shorter way into the same sink (`request_line.py`).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, WrappedLogger

from proxy.observe.clock import timestamp
from proxy.observe.log_sink import LogSink


class _Lines:
    """What structlog calls a logger: takes rendered lines."""

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink

    def msg(self, line: bytes) -> None:
        self._sink.write(line)

    debug = info = warning = error = critical = msg


def _stamp(
    logger: WrappedLogger, name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {"event": event.pop("event"), "ts": timestamp(), "level": name, **event}


def _render(logger: WrappedLogger, name: str, event: MutableMapping[str, Any]) -> bytes:
    """Encode as JSON. What is no JSON value is named by its type: a repr could hold anything."""
    return msgspec.json.encode(event, enc_hook=lambda value: type(value).__name__) + b"\n"


def open_log(sink: LogSink) -> FilteringBoundLogger:
    """Return a logger that writes to `sink`; nothing global is configured."""
    bound: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(sink),
        processors=[_stamp, _render],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return bound

"""Log events: structlog into the sink, one JSON object a line.

The line of each request takes a shorter way into the same sink (`request_line.py`).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.observe.clock import timestamp
from proxy.observe.log_sink import LogSink

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, WrappedLogger


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


@contextlib.contextmanager
def _without_rich() -> Iterator[None]:
    """Hide rich, which structlog imports where it is installed, for what developers see: that is
    3 MB in each process, and a tenth of a start. Where it is there already nothing changes."""
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # how Python marks what cannot be had
    try:
        yield
    finally:
        del sys.modules["rich"]


def open_log(sink: LogSink) -> FilteringBoundLogger:
    """Return a logger that writes to `sink`; nothing global is configured."""
    with _without_rich():
        import structlog
    bound: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(sink),
        processors=[_stamp, _render],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return bound

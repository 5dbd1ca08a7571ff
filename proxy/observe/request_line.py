"""The one line a request leaves behind, whatever ended it (design: what dashboards see)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from proxy import events


class Outcome(StrEnum):
    """How a request ended. A closed set: dashboards and metrics group by it."""

    OK = "ok"
    REFUSED = "refused"  # by the proxy; the caller has to act
    FAILED = "failed"  # answered by the proxy; the vendor or the operator has to act
    VENDOR_ERROR = "vendor_error"  # the vendor's own error, passed on
    INCOMPLETE = "incomplete"  # a tidy end without the dialect's end of an answer
    BROKEN = "broken"  # the vendor broke off after the answer had begun
    CLIENT_CLOSED = "client_closed"  # the app went away first
    STALLED = "stalled"  # the app stopped reading
    DRAINED = "drained"  # cut off at the end of a shutdown


class RequestLine(msgspec.Struct, gc=False):
    """Times in milliseconds, sizes in bytes of bodies; None where not known."""

    ts: str
    request_id: str
    app: str | None = None
    model: str | None = None
    version: str | None = None
    digest: str | None = None
    label: str | None = None
    epoch: int | None = None
    kept: bool | None = None
    dialect: str | None = None
    vendor: str | None = None
    vendor_model: str | None = None
    served_model: str | None = None
    status: int = 0
    outcome: str = ""
    stream: bool = False
    attempt: int = 0
    duration_ms: float = 0.0
    ttft_ms: float | None = None
    proxy_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    finish_reason: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: tuple[str, ...] = ()
    app_fields: tuple[str, ...] = ()
    unmanaged: bool = False
    call: str | None = None
    observed: str | None = None
    would_change: tuple[str, ...] = ()
    would_fail: str | None = None
    error: str | None = None


_ENCODER = msgspec.json.Encoder()
_PREFIX = b'{"event":"%b",' % events.REQUEST_FINISHED.encode()


def encode(line: RequestLine) -> bytes:
    """Return the line as JSON with its line end."""
    return _PREFIX + _ENCODER.encode(line)[1:] + b"\n"

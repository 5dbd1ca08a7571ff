"""Heads and framing of answers. Pure."""

from __future__ import annotations

from http import HTTPStatus

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """Return the first line; a status without a registered phrase gets an empty one."""
    return _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def framing(length: int | None, *, chunked: bool, keep_alive: bool, http_1_0: bool) -> bytes:
    """Return the header lines that say where the answer ends, and the end of the head."""
    if length is not None:
        lines = b"content-length: %d\r\n" % length
    else:
        lines = b"transfer-encoding: chunked\r\n" if chunked else b""
    if not keep_alive:
        return lines + b"connection: close\r\n\r\n"
    return lines + (b"connection: keep-alive\r\n\r\n" if http_1_0 else b"\r\n")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)

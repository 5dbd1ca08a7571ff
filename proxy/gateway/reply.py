"""Answers that the proxy itself gives."""

from __future__ import annotations

from proxy.dialects.base import Dialect
from proxy.errors import MethodNotAllowed, RequestError, Unauthorized
from proxy.gateway.routes import allowed
from proxy.http.answer import status_line
from proxy.http.head import Head
from proxy.http.server import ServerConnection
from proxy.observe.request_line import Outcome, RequestLine

# How long an app should wait before it asks again, where the cause is expected to pass.
RETRY_AFTER_S = 1

# What is logged where the app went before an answer: nginx's number, which dashboards know.
CLIENT_CLOSED_STATUS = 499

_JSON = (
    b"content-type: application/json\r\n"
    b"cache-control: no-store\r\n"
    b"x-content-type-options: nosniff\r\n"
)


def request_id_line(line: RequestLine) -> bytes:
    return b"x-proxy-request-id: %b\r\n" % line.request_id.encode()


def answer_json(connection: ServerConnection, line: RequestLine, body: bytes) -> None:
    line.status, line.outcome, line.bytes_out = 200, Outcome.OK, len(body)
    connection.start(status_line(200), _JSON + request_id_line(line), len(body))
    connection.write(body)


def answer_error(
    connection: ServerConnection,
    dialect: Dialect,
    error: RequestError,
    line: RequestLine,
    stamps: bytes = b"",
    *,
    head: Head | None = None,
) -> None:
    """Write `error` in the dialect's shape, whole, and put it into the request's line.

    `head` is that of a request that is refused by it: what was called, and how.
    """
    body = dialect.error_body(error, line.request_id)
    line.status, line.error, line.bytes_out = error.status, error.code, len(body)
    line.outcome = Outcome.REFUSED if error.fault == "caller" else Outcome.FAILED
    allow = allowed(head) if head is not None and isinstance(error, MethodNotAllowed) else b""
    headers = (_JSON, _advice(error), allow, request_id_line(line), stamps)
    connection.start(status_line(error.status), b"".join(headers), len(body))
    if head is None or head.method != b"HEAD":
        connection.write(body)


def _advice(error: RequestError) -> bytes:
    code = b"x-proxy-error: %b\r\n" % error.code.encode()
    if isinstance(error, Unauthorized):
        code += b"www-authenticate: Bearer\r\n"
    if error.passing:
        return code + b"retry-after: %d\r\n" % RETRY_AFTER_S
    return code + b"x-should-retry: false\r\n"

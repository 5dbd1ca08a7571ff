"""An answer that nobody wants any more, and that is read because of its connection alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import RequestError

if TYPE_CHECKING:
    from proxy.http.upstream import AnswerHead, UpstreamConnection

# What is read of it, and for how long: the refusals of vendors are smaller, and come in one piece.
MOST_UNWANTED_BYTES = 64 * 1024
UNWANTED_S = 5.0


class Unwanted:
    """Takes the place of a call for the rest of its answer; breaks the connection if that is
    long."""

    wanted = False
    connect_s = 0.0

    def __init__(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        self._left = MOST_UNWANTED_BYTES

    def received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._connection.abandon()

    def sending(self, connection: UpstreamConnection) -> None: ...

    def answered(self, head: AnswerHead) -> None: ...

    def flush(self) -> None: ...

    def ended(self, *, by_eof: bool) -> None: ...

    def failed(self, error: RequestError, *, not_sent: bool) -> None: ...

    def stalled(self, stalled: bool) -> None: ...

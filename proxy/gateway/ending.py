"""How an exchange with a vendor ends before its time, and how its two connections are let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.dialects.base import Dialect
from proxy.errors import RequestError
from proxy.gateway.reply import answer_error
from proxy.http.listener import Request
from proxy.http.server import ServerConnection
from proxy.http.upstream import UpstreamConnection
from proxy.observe.request_line import Outcome

if TYPE_CHECKING:
    from proxy.gateway.gateway import Gateway


class Ending:
    """What exchanges have in common: the app's connection, the vendor's while there is one, and
    the line that is logged, once, when it is over."""

    __slots__ = ("_connection", "_gateway", "_line", "_over", "_paused", "_request", "_upstream")

    def __init__(self, gateway: Gateway, connection: ServerConnection, request: Request) -> None:
        self._gateway = gateway
        self._connection = connection
        self._request = request
        self._line = gateway.new_line(request)
        self._upstream: UpstreamConnection | None = None
        self._paused = False
        self._over = False

    @property
    def wanted(self) -> bool:
        return not self._over

    @property
    def version_by_label(self) -> str | None:
        """The id of the version that answers, if a label was asked for."""
        return None

    def pause(self) -> None:
        self._paused = True
        if self._upstream is not None:
            self._upstream.pause()

    def _refuse(self, dialect: Dialect, error: RequestError, stamps: bytes) -> None:
        """Answer with an error of the proxy's own; nothing was written yet."""
        connection = self._connection
        answer_error(connection, dialect, error, self._line, stamps)
        self._close(None)
        connection.finish()
        connection.next()

    def cut_off(self) -> None:
        """Break off at the end of a shutdown's grace."""
        self._abort(Outcome.DRAINED)

    def crash(self) -> None:
        """Break off after a mistake of the proxy's own."""
        self._abort(Outcome.FAILED)

    def _abort(self, outcome: Outcome) -> None:
        if self._over:
            return
        self._drop_upstream()
        self._note()
        connection = self._connection
        self._close(outcome)
        connection.abort()

    def _note(self) -> None:
        """Put into the line what was seen of the answer."""

    def _drop_upstream(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abandon()

    def _close(self, outcome: Outcome | None) -> None:
        self._over = True
        if outcome is not None:
            self._line.outcome = outcome
        self._gateway.log(self._line, self._request)
        self._gateway.over(self)

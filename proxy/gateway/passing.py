"""One request that is passed through unread: its body to the vendor and the answer back, both as
they come (docs/passthrough.md).

Nothing is held but what one read brings, so nothing is repeated either: the vendor is called once.
The app is read no further while the vendor does not take what came, and the other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import RequestError, RequestTimeout, UpstreamTimeout
from proxy.gateway.ending import Ending
from proxy.gateway.headers import joined
from proxy.gateway.plan import UNVERSIONED
from proxy.gateway.reply import CLIENT_CLOSED_STATUS, request_id_line
from proxy.gateway.routes import dialect_of
from proxy.gateway.through import is_chunked, shown, through_head
from proxy.gateway.vendor_answer import problem
from proxy.gateway.vendors import VendorRoute
from proxy.http.answer import LAST_CHUNK, chunk, status_line
from proxy.http.listener import Request
from proxy.http.server import ServerConnection
from proxy.http.upstream import AnswerHead, UpstreamConnection
from proxy.observe.clock import since_ms
from proxy.observe.request_line import Outcome

if TYPE_CHECKING:
    from proxy.gateway.gateway import Gateway


class PassingExchange(Ending):
    """Implements what both connections expect of an exchange, and takes the body as it comes."""

    __slots__ = (
        "_began",
        "_incoming",
        "_own_credential",
        "_route",
        "_stalled",
    )

    def __init__(self, gateway: Gateway, connection: ServerConnection, request: Request) -> None:
        assert request.incoming is not None
        super().__init__(gateway, connection, request)
        self._incoming = request.incoming
        self._route: VendorRoute = request.admitted.through
        self._own_credential = self._route.credential is not None
        self._began = False
        self._stalled = False

    # --- calling the vendor

    def begin(self) -> None:
        line, route = self._line, self._route
        line.app, line.unmanaged = self._request.admitted.grant.app, True
        line.call, line.vendor = shown(self._request.head), route.name
        self._incoming.taker = self
        try:
            self._gateway.check_capacity()
            now = self._gateway.loop.time()
            credential = route.credential.line(now) if route.credential else None
        except RequestError as error:
            self._answer_error(error)
            return
        line.attempt = 1
        line.proxy_ms = since_ms(self._request.arrived)
        sent, path = self._request.head, self._request.admitted.path
        # What has a path of its own at the vendor is known well enough for the vendor's own ways.
        calls = route.calls if path else None
        head = through_head(
            sent,
            route.prefix,
            route.host,
            credential,
            self._gateway.crossings,
            path=path,
            calls=calls,
        )
        route.pool.send(self, head, (), 0)

    @property
    def connect_s(self) -> float:
        return self._gateway.waits.connect_s

    def sending(self, connection: UpstreamConnection) -> None:
        self._upstream = connection
        connection.unfinished = True
        if self._paused:
            connection.pause()
        self._wait()
        # After the head, which goes out when this returns.
        self._gateway.loop.call_soon(self._open)

    def _open(self) -> None:
        if self._upstream is not None and not self._over:
            self._connection.invite(self._request.head)
            self._incoming.open()

    def body_came(self, data: bytes) -> None:
        self._line.bytes_in += len(data)
        if self._upstream is not None:
            self._upstream.write(chunk(data) if is_chunked(self._request.head) else data)
            self._wait()

    def body_ended(self) -> None:
        if self._upstream is not None:
            if is_chunked(self._request.head):
                self._upstream.write(LAST_CHUNK)
            self._upstream.unfinished = False
            self._wait()

    def body_failed(self, error: RequestError) -> None:
        self._connection.refuse_rest()
        self._fail(error)

    def stalled(self, stalled: bool) -> None:
        self._stalled = stalled
        self._incoming.hold(stalled)
        self._wait()

    def failed(self, error: RequestError, *, not_sent: bool) -> None:
        self._upstream = None
        self._fail(error)

    def _wait(self) -> None:
        """Set the limit for whoever has to do something now."""
        waits, timeouts = self._gateway.waits, self._gateway.settings.timeouts
        if self._paused:
            return  # the connection's own limit for an app that does not read
        if self._stalled:
            limit_s = waits.write_s
        elif self._began:
            limit_s = waits.idle_s
        else:
            limit_s = waits.first_byte_s if self._incoming.ended else timeouts.body_s
        self._connection.deadline = self._gateway.loop.time() + limit_s

    # --- answering

    def answered(self, head: AnswerHead) -> None:
        asked = self._request.head.fields
        unfit = problem(head, asked, own_credential=self._own_credential)
        if unfit is not None:
            self._fail(unfit)
            return
        self._line.status, self._began = head.status, True
        passed = joined(self._gateway.crossings.returned_through.lines(head.headers))
        headers = (passed, request_id_line(self._line), self._stamps())
        self._connection.start(status_line(head.status), b"".join(headers), head.length)

    def _stamps(self) -> bytes:
        called = b"x-proxy-upstream: %b;attempt=1\r\n" % self._route.name.encode()
        return UNVERSIONED + called if self._line.attempt else UNVERSIONED

    def received(self, data: bytes) -> None:
        line = self._line
        if line.ttft_ms is None:
            line.ttft_ms = since_ms(self._request.arrived)
        line.bytes_out += len(data)
        self._connection.write(data)

    def flush(self) -> None:
        if self._began and not self._over:
            self._connection.write_out()
            self._wait()

    def ended(self, *, by_eof: bool) -> None:
        self._upstream = None
        if self._over:
            return
        connection = self._connection
        self._close(Outcome.VENDOR_ERROR if self._line.status >= 400 else Outcome.OK)
        connection.finish()
        connection.next()

    # --- endings

    def _fail(self, error: RequestError) -> None:
        """Answer with an error of the proxy's own, or break off an answer that has begun."""
        if self._over:
            return
        self._drop_upstream()
        if self._began:
            self._line.error = error.code
            self._abort(Outcome.BROKEN)
        else:
            self._answer_error(error)

    def _answer_error(self, error: RequestError) -> None:
        self._refuse(dialect_of(self._request.head), error, self._stamps())

    def app_gone(self) -> None:
        if self._over:
            return
        self._drop_upstream()
        self._line.status = self._line.status or CLIENT_CLOSED_STATUS
        self._close(Outcome.CLIENT_CLOSED)

    def resume(self) -> None:
        self._paused = False
        self._wait()
        if self._upstream is not None:
            self._upstream.resume()

    def expire(self, now: float) -> None:
        if self._paused:
            self._abort(Outcome.STALLED)
        elif self._began or self._stalled or self._incoming.ended:
            self._fail(UpstreamTimeout())
        else:
            self.body_failed(RequestTimeout())

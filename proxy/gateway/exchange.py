"""One request to a vendor's dialect, from end to end.

Driven by callbacks from two connections, the app's and the vendor's, on one thread. States: being
composed, waiting for a vendor, answering, over. Before the head of the answer is written a failure
is a status; after that the only honest signal is to break the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.dialects.base import Asked, Endpoint, Observer
from proxy.errors import RequestError, UnknownModel, UpstreamTimeout, UpstreamUnreachable
from proxy.fleet.snapshot import Pinned, Served
from proxy.gateway.attempts import Attempts, failure_of
from proxy.gateway.ending import Ending
from proxy.gateway.headers import STAMP, joined
from proxy.gateway.outgoing import outgoing
from proxy.gateway.plan import Plan, passthrough, plan
from proxy.gateway.reply import CLIENT_CLOSED_STATUS, request_id_line
from proxy.gateway.vendor_answer import note, outcome, problem
from proxy.gateway.vendors import VendorRoute
from proxy.http.answer import status_line
from proxy.http.listener import Request
from proxy.http.server import ServerConnection
from proxy.http.upstream import AnswerHead, UpstreamConnection
from proxy.observe.clock import since_ms
from proxy.observe.request_line import Outcome
from proxy.routing.address import Address
from proxy.routing.retry import Failure, Kind, Retry, retry_after_s
from proxy.versions.names import ByLabel

if TYPE_CHECKING:
    from proxy.gateway.gateway import Gateway


class ManagedExchange(Ending):
    """Implements what both connections expect of an exchange (`http.server`, `http.upstream`)."""

    __slots__ = (
        "_attempts",
        "_began",
        "_dialect",
        "_endpoint",
        "_framed",
        "_observer",
        "_own_credential",
        "_plan",
        "_stamp",
        "_target",
        "_total",
        "_waits",
    )

    def __init__(self, gateway: Gateway, connection: ServerConnection, request: Request) -> None:
        super().__init__(gateway, connection, request)
        self._endpoint: Endpoint = request.admitted.endpoint
        self._dialect = self._endpoint.dialect
        self._plan: Plan | None = None
        self._stamp = b""
        self._observer: Observer | None = None
        self._own_credential = False
        self._target = 0
        self._attempts: Attempts | None = None
        self._waits = gateway.waits
        self._began = False
        self._framed = False
        self._total = 0.0

    # --- composing

    def begin(self) -> None:
        line = self._line
        line.app, line.dialect = self._request.admitted.grant.app, self._dialect.name
        try:
            self._gateway.check_capacity()
            head = self._request.head
            asked = self._endpoint.read(
                self._request.body,
                depth=self._gateway.depth,
                target=head.target,
                headers=head.fields,
            )
            line.stream = asked.stream
            self._choose(asked)
        except RequestError as error:
            self._answer_error(error)

    def _choose(self, asked: Asked) -> None:
        unmanaged = self._gateway.unmanaged
        if unmanaged.observes and (route := unmanaged.observed(asked, self._request, self._line)):
            self._forward(asked, route)
            return
        held = self._gateway.quick(asked, self._request.admitted.grant)
        if held is not None:
            self._line.model, self._line.label = held.pin.model, held.pin.label
            self._compose(asked, held)
            return
        try:
            address = self._gateway.address(asked)
            self._line.model = address.model
            if isinstance(address.reference, ByLabel):
                self._line.label = address.reference.label
            found = self._gateway.resolve(address, self._request.admitted.grant)
        except UnknownModel:
            forwarded = unmanaged.forwarded(asked, self._request)
            if forwarded is None:
                raise
            self._forward(asked, forwarded)
            return
        if found is None:
            self._gateway.spawn(self._fetch(asked, address))
        else:
            self._compose(asked, found)

    def _forward(self, asked: Asked, route: VendorRoute) -> None:
        """Send a request on as it is. Raises `UnknownModel` for what can be no vendor's model."""
        self._line.unmanaged, self._line.label = True, None
        self._start(passthrough(asked, route.name, self._request.body))

    async def _fetch(self, asked: Asked, address: Address) -> None:
        try:
            found = await self._gateway.fetch(address)
            if not self._over:
                self._compose(asked, found)
        except RequestError as error:
            self._answer_error(error)

    def _compose(self, asked: Asked, found: Pinned | Served) -> None:
        line = self._line
        if STAMP in self._request.head.fields and isinstance(found, Pinned):
            found = self._gateway.continued(found, self._request, line)
        served, pin = (found.served, found.pin) if isinstance(found, Pinned) else (found, None)
        line.version, line.digest = served.id, served.version.info.digest
        line.epoch = pin.epoch if pin is not None else None
        self._stamp = served.stamp
        self._start(plan(served, self._dialect, asked, self._request.head.fields))

    def _start(self, made: Plan) -> None:
        line = self._line
        line.dropped, line.app_fields = made.composed.dropped, made.composed.app_fields
        self._plan, self._stamp = made, made.stamp
        now, router, first = self._gateway.loop.time(), self._gateway.router, 0
        self._total = now + made.rules.timeout_s
        if made.rules.steered and not router.is_plain(made, self._dialect.name):
            self._attempts = router.attempts(made, self._dialect.name, now)
            first = self._attempts.target
        self._call(made, first)

    # --- calling the vendor

    def _call(self, made: Plan, target: int) -> None:
        """Call one target, or another one if that cannot even be tried."""
        try:
            self._attempt(made, target)
        except RequestError as error:
            alone = len(made.targets) == 1 or error.fault == "caller"
            if alone or not self._repeats(Failure(Kind.NOT_CALLED)):
                self._answer_error(error)

    def _attempt(self, made: Plan, target: int) -> None:
        """Call one target. Raises `RequestError` if that cannot even be tried."""
        line, request = self._line, self._request
        wanted, self._target = made.targets[target], target
        line.attempt += 1
        line.vendor, line.vendor_model = wanted.vendor, wanted.model
        route = self._gateway.vendors.route(wanted.vendor, self._dialect.name)
        self._own_credential = route.credential is not None
        if made.rules.waits:
            self._waits = self._gateway.waits.within(made.rules.waits[target])
        now = self._gateway.loop.time()
        head, body, size = outgoing(
            made, target, route, self._endpoint, request.head, now, self._gateway.crossings
        )
        if line.proxy_ms is None:
            line.proxy_ms = since_ms(request.arrived)
        if self._attempts is not None:
            self._attempts.called(now)
        route.pool.send(self, head, body, size)

    def _wait(self, limit_s: float) -> None:
        end, total = self._gateway.loop.time() + limit_s, self._total
        self._connection.deadline = end if end < total else total

    @property
    def connect_s(self) -> float:
        """How long opening a connection may take."""
        return min(self._waits.connect_s, self._total - self._gateway.loop.time())

    @property
    def version_by_label(self) -> str | None:
        return self._line.version if self._line.epoch is not None else None

    def sending(self, connection: UpstreamConnection) -> None:
        self._upstream = connection
        if self._paused:
            connection.pause()
        else:
            self._wait(self._waits.first_byte_s)

    def stalled(self, stalled: bool) -> None:
        waits = self._waits
        self._wait(waits.write_s if stalled else waits.first_byte_s)

    def failed(self, error: RequestError, *, not_sent: bool) -> None:
        self._upstream = None
        if not self._over and not self._repeats(failure_of(error, not_sent=not_sent)):
            self._give_up(error)

    def _repeats(self, failure: Failure) -> bool:
        """Have another attempt made, if the version's rules say so."""
        if self._plan is None:
            return False
        attempts, now = self._attempts, self._gateway.loop.time()
        if attempts is None:
            attempts = self._gateway.router.attempts(self._plan, self._dialect.name, now)
            self._attempts = attempts
        step = attempts.after(failure, now, self._total, begun=self._began)
        if not isinstance(step, Retry):
            return False
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.pass_over()
        self._gateway.stats.count_retry(self._line.vendor, failure.name)
        self._connection.deadline = self._total
        if step.after_s:
            self._gateway.loop.call_later(step.after_s, self._again, step.target)
        else:
            self._again(step.target)
        return True

    def _give_up(self, error: RequestError) -> None:
        self._drop_upstream()
        if self._began:
            self._break(Outcome.BROKEN, error)
        else:
            out_of_time = self._gateway.loop.time() >= self._total
            self._answer_error(UpstreamTimeout() if out_of_time else error)

    def _again(self, target: int) -> None:
        if not self._over:
            assert self._plan is not None
            self._call(self._plan, target)

    # --- answering

    def answered(self, head: AnswerHead) -> None:
        fields, status = head.fields, head.status
        if status >= 400 and self._repeats(Failure(Kind.STATUS, status, retry_after_s(fields))):
            return
        if self._attempts is not None and status < 400:
            self._attempts.answered(self._gateway.loop.time())
        wrong = problem(head, self._request.head.fields, own_credential=self._own_credential)
        if wrong is not None:
            self._drop_upstream()
            self._answer_error(wrong)
            return
        self._line.status = status
        kind = fields.get(b"content-type", b"")
        stream = status < 300 and kind.startswith(b"text/event-stream")
        self._observer = self._endpoint.observer(stream=stream)
        self._framed = head.length is not None
        self._began = True
        passed = self._gateway.crossings.returned.lines(head.headers)
        headers = b"".join((joined(passed), request_id_line(self._line), self._stamps()))
        self._connection.start(status_line(status), headers, head.length)
        # The body was kept for another attempt; there is none any more.
        self._request.body = b""

    def _stamps(self) -> bytes:
        """Return the stamp, as far as it is known."""
        if self._plan is None or not self._line.attempt:
            return self._stamp
        upstream = self._plan.targets[self._target].stamp
        return b"%b%b%d\r\n" % (self._stamp, upstream, self._line.attempt)

    def received(self, data: bytes) -> None:
        line = self._line
        if line.ttft_ms is None:
            line.ttft_ms = since_ms(self._request.arrived)
        line.bytes_out += len(data)
        if self._observer is not None:
            self._observer.feed(data)
        self._connection.write(data)

    def flush(self) -> None:
        if self._began and not self._over:
            # A chunk is not held back for the rest of the turn: it comes alone, as a rule.
            self._connection.write_out()
            if not self._paused:
                self._wait(self._waits.idle_s)

    def ended(self, *, by_eof: bool) -> None:
        self._upstream = None
        if self._over:
            return
        seen = note(self._line, self._observer)
        if by_eof and not seen.ended:
            self._break(Outcome.BROKEN, UpstreamUnreachable())
            return
        connection = self._connection
        self._close(outcome(self._line.status, seen))
        connection.finish()
        connection.next()

    # --- endings

    def _answer_error(self, error: RequestError) -> None:
        if not self._over:
            self._refuse(self._dialect, error, self._stamps())

    def _note(self) -> None:
        note(self._line, self._observer)

    def _break(self, outcome: Outcome, error: RequestError) -> None:
        """Break off an answer that has begun, with the dialect's error event where it fits in."""
        self._drop_upstream()
        note(self._line, self._observer)
        self._line.error = error.code
        if not self._framed and self._observer is not None and self._observer.between_events:
            self._connection.write(self._dialect.error_event(error, self._line.request_id))
        connection = self._connection
        self._close(outcome)
        connection.abort()

    def app_gone(self) -> None:
        if self._over:
            return
        self._drop_upstream()
        seen = note(self._line, self._observer)
        # SDKs hang up as soon as they have read the end marker, before the last chunk.
        self._line.status = self._line.status or CLIENT_CLOSED_STATUS
        self._close(Outcome.OK if seen.ended else Outcome.CLIENT_CLOSED)

    def resume(self) -> None:
        self._paused = False
        self._wait(self._waits.idle_s)
        if self._upstream is not None:
            self._upstream.resume()

    def expire(self, now: float) -> None:
        if self._paused:
            self._abort(Outcome.STALLED)
        elif self._upstream is None and now < self._total:
            # Between two attempts, or while a connection is opened: those waits end by themselves.
            self._connection.deadline = self._total
        elif not self._repeats(Failure(Kind.FIRST_BYTE_TIMEOUT)):
            self._give_up(UpstreamTimeout())

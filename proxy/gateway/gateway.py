"""The gateway: what every request shares, and where each begins."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from proxy import events
from proxy.dialects.base import Asked
from proxy.errors import (
    CommandError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestError,
    StoreUnavailable,
    UnknownModel,
    UnknownVersionAsked,
)
from proxy.fleet.follow import Follower
from proxy.fleet.snapshot import Pinned, Served
from proxy.gateway.access import LOCAL, Access
from proxy.gateway.circuits import Circuits
from proxy.gateway.ending import Ending
from proxy.gateway.exchange import ManagedExchange
from proxy.gateway.headers import STAMP, Crossings, sent_request_id
from proxy.gateway.kept import DIALECT as KEEPING
from proxy.gateway.kept import kept_path, named_vendor
from proxy.gateway.passing import PassingExchange
from proxy.gateway.reply import CLIENT_CLOSED_STATUS, answer_error, answer_json
from proxy.gateway.router import Router
from proxy.gateway.routes import Admitted, asked_model, dialect_of, find_endpoint
from proxy.gateway.unmanaged import Unmanaged
from proxy.gateway.vendors import Vendors
from proxy.http.head import Head
from proxy.http.listener import Exchange, Request
from proxy.http.server import ServerConnection
from proxy.observe.log_sink import LogSink
from proxy.observe.request_line import Outcome, RequestLine
from proxy.observe.request_log import RequestLog
from proxy.observe.stats import Stats
from proxy.routing.address import (
    Address,
    Grant,
    check_grant,
    may_ask,
    parse_address,
    prompt_address,
)
from proxy.routing.rules import Waits
from proxy.settings import Settings, Timeouts
from proxy.versions.names import ByLabel, split_id
from proxy.versions.record import DRILL, PROD

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def waits_of(timeouts: Timeouts) -> Waits:
    """Return the limits that each request looks up several times; settings are slow to read."""
    return Waits(timeouts.connect_s, timeouts.first_byte_s, timeouts.idle_s, timeouts.write_s)


class Gateway:
    def __init__(
        self,
        settings: Settings,
        *,
        follower: Follower,
        vendors: Vendors,
        access: Access,
        sink: LogSink,
        log: FilteringBoundLogger,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        draw: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.follower = follower
        self.vendors = vendors
        self.router = Router(vendors, Circuits(log, stats), draw)
        self.crossings = Crossings()
        self.stats = stats
        self.loop = loop
        self.draining = False
        self.waits = waits_of(settings.timeouts)
        self.depth = settings.limits.depth
        self.unmanaged = Unmanaged(settings.models, vendors, lambda: follower.snapshot)
        self._keep, self._keep_s = settings.models.keep, settings.models.keep_s
        self._most_in_flight = settings.limits.in_flight
        self._access = access
        enabled = settings.log.requests
        self._request_log = RequestLog(sink, stats, loop, enabled=enabled)
        self._log = log
        self._exchanges: set[Ending] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._id_prefix = f"req_{secrets.token_hex(6)}"
        self._count = itertools.count(1)

    # --- for the connections

    def admit(self, head: Head) -> Admitted:
        """Let a head through, or raise what it is to be answered with."""
        grant = self._access.identify(head)
        try:
            return Admitted(grant, find_endpoint(head))
        except (NotFound, MethodNotAllowed):
            kept = kept_path(head)
            if kept is not None:
                through = self.vendors.keeping(KEEPING, named_vendor(head))
            else:
                through = self.unmanaged.through(head, grant)
            if through is None:
                raise
            return Admitted(grant, None, through, kept or b"")

    def begin(self, connection: ServerConnection, request: Request) -> Exchange | None:
        exchange: ManagedExchange | PassingExchange
        if request.admitted.endpoint is not None:
            exchange = ManagedExchange(self, connection, request)
        elif request.incoming is not None:
            exchange = PassingExchange(self, connection, request)
        else:
            self._list_models(connection, request)
            return None
        self._exchanges.add(exchange)
        self.stats.in_flight += 1
        try:
            exchange.begin()
        except Exception as error:
            # A mistake of ours ends one request, with a line, not the connection in silence. The
            # error's text could hold what the app sent.
            self._log.error(events.REQUEST_CRASHED, error=type(error).__name__)
            exchange.crash()
        return exchange

    def refuse(self, connection: ServerConnection, request: Request, error: RequestError) -> None:
        """Answer a request that was refused by its head or could not be read, and close."""
        connection.refuse_rest()
        line = self._unserved_line(request)
        answer_error(connection, dialect_of(request.head), error, line, head=request.head)
        self.log(line, request)
        connection.finish()

    def lost(self, request: Request) -> None:
        """Write down a request that was not begun before its connection closed."""
        line = self._unserved_line(request)
        if request.error is not None:
            line.status, line.error = request.error.status, request.error.code
            line.outcome = Outcome.REFUSED
        else:
            line.status = CLIENT_CLOSED_STATUS
            line.outcome = Outcome.DRAINED if self.draining else Outcome.CLIENT_CLOSED
        self.log(line, request)

    def _unserved_line(self, request: Request) -> RequestLine:
        line = self.new_line(request)
        if request.admitted is not None:
            line.app = request.admitted.grant.app
            endpoint = request.admitted.endpoint
            line.dialect = endpoint.dialect.name if endpoint is not None else None
        return line

    # --- for the exchanges

    def quick(self, asked: Asked, grant: Grant) -> Pinned | None:
        """Return what `prod` holds for a plain model name that the app was granted, if it is that.

        Nearly every request is; all others take the long way, which also says why not.
        """
        if asked.prompt_id:
            return None
        pinned = self.follower.snapshot.by_text.get(asked.address)
        if pinned is None or grant is LOCAL:
            return pinned
        return pinned if may_ask(grant, asked.address, PROD) else None

    def address(self, asked: Asked) -> Address:
        """Return what a request asks for. Raises `UnknownModel` and `UnknownVersionAsked`."""
        if asked.prompt_id:
            aliases = self.settings.models.prompts
            return prompt_address(asked.prompt_id, asked.prompt_version, aliases)
        return parse_address(asked.address)

    def resolve(self, address: Address, grant: Grant) -> Pinned | Served | None:
        """Return what answers `address`, None if it is an explicit version that is not held.

        Raises the request errors of design 5.1 that concern models and versions.
        """
        check_grant(grant, address)
        snapshot = self.follower.snapshot
        if isinstance(address.reference, ByLabel):
            if not snapshot.loaded:
                raise StoreUnavailable()
            if address.reference.label == DRILL:  # what is rehearsed there is for no app
                raise snapshot.absent(address.model, DRILL)
            return snapshot.by_label(address)
        return self.follower.find(address)

    def continued(self, found: Pinned, request: Request, line: RequestLine) -> Pinned | Served:
        """Return the version that began the conversation, for an app that sent its stamp back, if
        it may go on; what the label holds else (docs/conversations.md)."""
        sent = request.head.fields[STAMP]
        if sent == found.served.id.encode():
            return found
        model, id = found.pin.model, sent.decode("latin-1")
        parts = split_id(id)
        if parts is None or parts[0] != model:
            return found
        grant, dialect = request.admitted.grant, request.admitted.endpoint.dialect.name
        served = self.follower.conversations.find(
            id, partial(may_ask, grant, model), self._keep.get(model, self._keep_s)
        )
        line.kept = served is not None and dialect in served.dialects
        return served if served is not None and line.kept else found

    async def fetch(self, address: Address) -> Served:
        """Get an explicit version. Raises as `Follower.fetch`, and `UnknownModel`."""
        try:
            async with asyncio.timeout(self.settings.timeouts.store_s):
                return await self.follower.fetch(address)
        except (TimeoutError, CommandError):
            raise StoreUnavailable() from None
        except UnknownVersionAsked:
            if address.model not in self.follower.snapshot.models:
                raise UnknownModel() from None
            raise

    def check_capacity(self) -> None:
        if self.stats.in_flight > self._most_in_flight:
            raise Overloaded()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def new_line(self, request: Request) -> RequestLine:
        given = sent_request_id(request.head.fields.get(b"x-request-id"))
        ours = given or f"{self._id_prefix}{next(self._count):x}"
        return RequestLine("", ours, bytes_in=len(request.body))

    def log(self, line: RequestLine, request: Request) -> None:
        """Have the line of a request that ends now written and counted."""
        self._request_log.add(line, request.arrived)

    def older(self) -> int:
        """Count the requests that asked for a label and are still answered by what it held."""
        current = self.follower.snapshot.current()
        versions = (one.version_by_label for one in self._exchanges)
        return sum(version is not None and version not in current for version in versions)

    def over(self, exchange: Ending) -> None:
        self._exchanges.discard(exchange)
        self.stats.in_flight -= 1
        if not self._exchanges:
            self._idle.set()

    # --- shutting down

    async def drain(self, grace_s: float) -> None:
        """Wait until no request is in flight; break off what is left after `grace_s`."""
        self.draining = True
        try:
            async with asyncio.timeout(grace_s):
                while self._exchanges:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            self.cut_off()

    def close(self) -> None:
        """Write the lines of the last requests."""
        self._request_log.write_out()

    def cut_off(self) -> None:
        """Break off every request that is in flight."""
        for exchange in list(self._exchanges):
            exchange.cut_off()

    # --- the list of models

    def _list_models(self, connection: ServerConnection, request: Request) -> None:
        line = self.new_line(request)
        line.app = request.admitted.grant.app
        try:
            body = self._models(request)
        except RequestError as error:
            answer_error(connection, dialect_of(request.head), error, line)
        else:
            answer_json(connection, line, body)
        self.log(line, request)
        connection.finish()
        # At once, so that the transport says when the app takes no more of many such answers.
        connection.write_out()

    def _models(self, request: Request) -> bytes:
        """What is pinned to `prod` and granted to the app, in the shape that its SDK reads."""
        if not self.follower.snapshot.loaded:
            raise StoreUnavailable()
        dialect = dialect_of(request.head)
        rows = [row for row in self._rows() if may_ask(request.admitted.grant, row["id"], PROD)]
        name = asked_model(request.head.path)
        if not name:
            return msgspec.json.encode(dialect.listed(rows))
        address = parse_address(name)
        for row in rows:
            if row["id"] == address.model:
                return msgspec.json.encode(dialect.described(row))
        raise UnknownModel()

    def _rows(self) -> list[Mapping[str, str]]:
        pinned = sorted(self.follower.snapshot.pinned.items())
        return [
            {"id": model, "version": held.served.id}
            for (model, label), held in pinned
            if label == PROD
        ]

"""What becomes of requests that no version is about: where they go, and what is learnt from them
(docs/passthrough.md)."""

from __future__ import annotations

from collections.abc import Callable

from proxy.dialects.base import Asked, Dialect
from proxy.dialects.differences import differences
from proxy.errors import NotPinned, RequestError
from proxy.fleet.snapshot import Served, Snapshot
from proxy.gateway.live import LiveRequests
from proxy.gateway.routes import Admitted
from proxy.gateway.through import family, may_pass
from proxy.gateway.vendors import VendorRoute, Vendors
from proxy.http.head import Head
from proxy.http.listener import Request
from proxy.observe.request_line import RequestLine
from proxy.routing.address import Grant, may_ask
from proxy.settings import Models
from proxy.versions.record import PROD

# Composing a body to compare it takes a copy of it, and time in proportion.
MOST_COMPARED_BYTES = 2**20


class Unmanaged:
    """`observes` says whether the operator has any model observed, `live` remembers what apps ask
    for, if the operator wants that."""

    def __init__(self, models: Models, vendors: Vendors, snapshot: Callable[[], Snapshot]) -> None:
        self._passes = models.unmanaged == "passthrough"
        self._observed = dict(models.observe)
        self._vendors = vendors
        self.live = LiveRequests(models.capture)
        self._snapshot = snapshot
        self.observes = bool(self._observed)

    def through(self, head: Head, grant: Grant) -> VendorRoute | None:
        """Return where a call that the proxy does not serve is passed on to, if it is."""
        if not self._passes_for(grant) or not may_pass(head):
            return None
        return self._vendors.of_family(family(head))

    def forwarded(self, asked: Asked, request: Request) -> VendorRoute | None:
        """Return where a call with a model that is not ours is forwarded to, None if it is not."""
        admitted: Admitted = request.admitted
        assert admitted.endpoint is not None
        route = self._vendors.speaking(admitted.endpoint.dialect.name)
        if route is None or not self._passes_for(admitted.grant):
            return None
        if self.live.most:
            self.live.saw(asked, request, route.name)
        return route

    def observed(self, asked: Asked, request: Request, line: RequestLine) -> VendorRoute | None:
        """Return where a request goes on to as it is, if its model is one that is observed, and
        put into `line` what the version in prod would have changed."""
        dialect: Dialect = request.admitted.endpoint.dialect
        model = self._observed.get(asked.prompt_id or asked.address)
        route = self._vendors.speaking(dialect.name)
        if model is None or route is None or not may_ask(request.admitted.grant, model, PROD):
            return None
        line.model = model
        if self.live.most:
            self.live.saw(asked, request, route.name)
        pinned = self._snapshot().by_text.get(model)
        if pinned is None:
            line.would_fail = NotPinned.code
        elif len(request.body) <= MOST_COMPARED_BYTES:
            line.observed = pinned.served.id
            _compare(asked, dialect, pinned.served, line)
        return route

    def _passes_for(self, grant: Grant) -> bool:
        """Say whether what is not managed is passed on for this app: not for one that was granted
        certain models."""
        return self._passes and not grant.models


def _compare(asked: Asked, dialect: Dialect, served: Served, line: RequestLine) -> None:
    try:
        composed = served.compiled(dialect.name).compose(asked)
        line.would_change = differences(asked.fields, composed, served.targets[0].model_json)
    except RequestError as error:
        line.would_fail = error.code

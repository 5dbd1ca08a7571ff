"""A request as it goes to a vendor: head and body, with the credential that joins at the last
moment."""

from __future__ import annotations

from proxy.dialects.base import Endpoint
from proxy.dialects.raw import Buffer
from proxy.gateway.headers import Crossings, upstream_head, with_keys, with_lists
from proxy.gateway.plan import Plan
from proxy.gateway.vendors import VendorRoute
from proxy.http.head import Head


def outgoing(
    made: Plan,
    target: int,
    route: VendorRoute,
    endpoint: Endpoint,
    asked: Head,
    now: float,
    crossings: Crossings,
) -> tuple[bytes, list[Buffer], int]:
    """Return head, pieces of the body and their size in bytes, for a request whose head was
    `asked`. Raises `RequestError` if the vendor's key cannot be had at `now`."""
    credential = route.credential.line(now) if route.credential is not None else None
    body, model, calls = made.body(target), made.targets[target].model, route.calls
    query, headers = with_keys(endpoint.dialect, asked)
    path = endpoint.upstream_path(asked.target, model, route.prefix)
    if calls is None:
        path += query
    else:
        body, path = calls.body(body), calls.target(path[len(route.prefix) :], model, query)
    if made.composed.headers:
        headers = with_lists(headers, made.composed.headers)
    size = sum(map(len, body))
    head = upstream_head(path, route.host, headers, endpoint.dialect, credential, size, crossings)
    return head, body, size

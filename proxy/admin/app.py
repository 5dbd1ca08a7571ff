"""The admin listener: health, readiness, counters, status. Read-only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from aiohttp import web

from proxy.admin.hosts import is_ours

# Nobody has anything to tell this listener.
MAX_BODY_BYTES = 1024

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Shown(Protocol):
    """What there is to show, of one proxy or of several."""

    async def readiness(self) -> dict[str, Any]:
        """Return what a probe is told; `ready` in it decides."""

    async def status(self) -> dict[str, Any]: ...

    async def metrics(self) -> Iterable[str]:
        """Return lines in Prometheus' text format."""


def build_app(shown: Shown, listen_host: str) -> web.Application:
    """Return the application for a listener on `listen_host`."""

    @web.middleware
    async def known_hosts_only(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not is_ours(request.headers.get("host"), listen_host):
            raise web.HTTPForbidden()
        return await handler(request)

    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(request: web.Request) -> web.Response:
        readiness = await shown.readiness()
        return web.json_response(readiness, status=200 if readiness["ready"] else 503)

    async def status(request: web.Request) -> web.Response:
        return web.json_response(await shown.status())

    async def metrics(request: web.Request) -> web.Response:
        text = "\n".join((*await shown.metrics(), ""))
        return web.Response(body=text.encode(), headers={"content-type": METRICS_TYPE})

    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[known_hosts_only])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/status", status)
    app.router.add_get("/metrics", metrics)
    return app

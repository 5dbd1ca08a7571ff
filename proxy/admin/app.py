"""The admin listener: health, readiness, counters, status. Read-only; no secrets, no prompts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

from proxy.fleet.follow import Follower
from proxy.observe.stats import Stats


class AdminView:
    """What the admin listener shows of a running proxy."""

    def __init__(
        self,
        *,
        name: str,
        follower: Follower,
        stats: Stats,
        draining: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._follower = follower
        self._stats = stats
        self._draining = draining
        self._clock = clock

    @property
    def is_ready(self) -> bool:
        return self._follower.snapshot.loaded and not self._draining()

    def readiness(self) -> dict[str, Any]:
        state = self._follower.state
        return {
            "ready": self.is_ready,
            "draining": self._draining(),
            "store_connected": state.connected,
            "source": state.source,
        }

    def status(self) -> dict[str, Any]:
        """Everything that an operator at one proxy wants to know."""
        state, snapshot = self._follower.state, self._follower.snapshot
        return {
            "name": self._name,
            **self.readiness(),
            "epoch": snapshot.epoch,
            "serving": snapshot.serving(),
            "rejected": {f"{m}@{label}": why for (m, label), why in state.rejected.items()},
            "store_regressed": state.regressed,
            "last_contact_s": round(self._clock() - state.last_contact, 3),
            "in_flight": self._stats.in_flight,
        }

    def metrics(self) -> str:
        state = self._follower.state
        gauges = {
            "proxy_store_connected": state.connected,
            "proxy_store_regressed": state.regressed,
            "proxy_ready": self.is_ready,
            "proxy_epoch": self._follower.snapshot.epoch,
            "proxy_pins_rejected": len(state.rejected),
        }
        lines = [
            line
            for name, value in gauges.items()
            for line in (f"# TYPE {name} gauge", f"{name} {int(value)}")
        ]
        return "\n".join((*lines, *self._stats.lines(), ""))


def build_app(view: AdminView) -> web.Application:
    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(request: web.Request) -> web.Response:
        return web.json_response(view.readiness(), status=200 if view.is_ready else 503)

    async def status(request: web.Request) -> web.Response:
        return web.json_response(view.status())

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=view.metrics(), content_type="text/plain")

    app = web.Application(client_max_size=1024)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/status", status)
    app.router.add_get("/metrics", metrics)
    return app


def quiet_logger() -> logging.Logger:
    """A logger that says nothing: aiohttp's own repeats what a client sent, headers included."""
    logger = logging.Logger("admin")  # nothing global is to be configured
    logger.addHandler(logging.NullHandler())
    return logger


def build_runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(
        app, access_log=None, logger=quiet_logger(), keepalive_timeout=15, auto_decompress=False
    )

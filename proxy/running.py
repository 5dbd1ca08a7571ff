"""A proxy that serves, and how it ends: it drains, or hands over to the one that replaces it.

Draining, in this order, so that no request is lost: apps are told with each answer that their
connection closes, while all is still accepted and answered; new connections are steered to a
successor, if there is one; the accept queue is emptied and the sockets are closed; connections on
which an app may be just about to send are given the same time again; what is in flight is let
finish. Whoever still sends a request after all that is told `draining`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy import events
from proxy.admin.view import AdminView
from proxy.fleet.follow import Follower
from proxy.fleet.last_known_good import LastKnownGood
from proxy.gateway.gateway import Gateway
from proxy.gateway.vendors import Vendors
from proxy.http.listener import LOOK_EVERY_S, Listener
from proxy.http.sockets import Bound, Sockets, close_all
from proxy.http.steering import steer_away
from proxy.observe.loop_lag import LoopLag
from proxy.store.base import Store

if TYPE_CHECKING:
    from aiohttp import web
    from structlog.typing import FilteringBoundLogger

# A handshake that was under way when new ones were steered away ends in this time, unless the app
# is on another continent.
HANDSHAKES_S = 0.1

# uvloop accepts all that waits in one turn; the others are for what came meanwhile.
ACCEPT_TURNS = 3


@dataclass(slots=True)
class Running:
    """A proxy that serves. `listeners` is how many sockets on its address are its own, or those of
    the workers beside it; `deaf` is set when it accepts no more connections."""

    follower: Follower
    gateway: Gateway
    listener: Listener
    view: AdminView
    sockets: Sockets
    listeners: int
    disk: LastKnownGood
    store: Store
    following: asyncio.Task[None] = field(repr=False)
    vendors: Vendors
    servers: Sequence[asyncio.AbstractServer] = field(repr=False)
    admin: web.AppRunner | None = field(repr=False)
    log: FilteringBoundLogger = field(repr=False)
    lag: LoopLag = field(repr=False)
    bound: Bound = field(init=False)
    deaf: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _cut: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.bound = self.sockets.bound

    async def stop(
        self, grace_s: float | None = None, *, delay_s: float | None = None, shared: bool = False
    ) -> None:
        """Drain and close everything.

        For `delay_s` seconds, less if no app is connected, all is answered as ever; then requests
        may finish for `grace_s` seconds (both default to what is configured). With `shared`,
        others accept from the same sockets: then listening ends at once.
        """
        timeouts = self.gateway.settings.timeouts
        grace_s = timeouts.drain_s if grace_s is None else grace_s
        delay_s = timeouts.drain_delay_s if delay_s is None else delay_s
        self.log.info(events.PROXY_DRAINING, in_flight=self.gateway.stats.in_flight)
        self.gateway.draining = self.listener.leaving = True
        if shared:
            self._stop_listening()
        await self._wait_for_apps(delay_s)
        if not shared:
            await self._leave_address()
        self.follower.reporter.drain()
        self.listener.shorten(0.0 if self._cut else delay_s)
        await self._finish(grace_s)
        await self._close()
        self.log.info(events.PROXY_STOPPED)

    async def hand_over(self, successor: Running, grace_s: float) -> None:
        """Let `successor`, which serves already, have the connections, and whatever it shares with
        this one; close the rest when the requests in flight are over, after `grace_s` seconds at
        most. No connection is closed for it."""
        self.gateway.draining = True
        self.follower.reporter.drain()
        if successor.disk is self.disk:
            self.follower.saver.hand_to(successor.follower.saver)
        self.lag.close()
        self.sockets = self.sockets.without(successor.sockets)
        if self.sockets.data:
            await self._accept_rest()
        self._stop_listening()
        self.listener.hand_to(successor.listener)
        await self._close_admin()
        await self.gateway.drain(grace_s)
        await self._close()

    def cut_off(self) -> None:
        """Break off whatever `stop` or `hand_over` still waits for."""
        self._cut = True
        self.gateway.cut_off()
        self.listener.abort()

    def hurry(self, limit_s: float) -> None:
        """Break it off in `limit_s` seconds."""
        self.gateway.loop.call_later(limit_s, self.cut_off)

    async def _wait_for_apps(self, delay_s: float) -> None:
        """Wait until every app is gone, `delay_s` seconds at most."""
        clock = self.gateway.loop.time
        until = clock() + delay_s
        while self.listener.connections and clock() < until and not self._cut:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(LOOK_EVERY_S)

    async def _leave_address(self) -> None:
        """Stop listening without losing what waits to be accepted."""
        steered = [steer_away(one, own=self.listeners) for one in self.sockets.data]
        if any(steered):
            await asyncio.sleep(HANDSHAKES_S)
        await self._accept_rest()
        self._stop_listening()

    async def _accept_rest(self) -> None:
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)

    def _stop_listening(self) -> None:
        for server in self.servers:
            server.close()
        close_all(self.sockets.data)
        self.deaf.set()

    async def _close_admin(self) -> None:
        if self.admin is not None:
            await self.admin.cleanup()
        close_all(self.sockets.admin)

    async def _finish(self, grace_s: float) -> None:
        until = self.gateway.loop.time() + grace_s
        await self.gateway.drain(grace_s)
        await self.listener.wait_until_left(until)
        self.gateway.cut_off()
        await self.listener.give_up()

    async def _close(self) -> None:
        self.following.cancel()
        await asyncio.gather(self.following, return_exceptions=True)
        await self.follower.reporter.leave()
        self.listener.abort()
        self.listener.deadlines.close()
        self.lag.close()
        await self.vendors.close()
        await self._close_admin()
        await self.store.close()
        # Closed transports report to their protocols in the next turn of the loop.
        await asyncio.sleep(0)
        self.gateway.close()

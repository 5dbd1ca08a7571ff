"""A proxy from its parts: build, listen, follow, drain."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from urllib.parse import urlsplit

import uvloop
from aiohttp import web
from structlog.typing import FilteringBoundLogger

from proxy import __version__, events
from proxy.admin.app import build_app
from proxy.admin.runner import build_runner
from proxy.admin.view import AdminView
from proxy.fleet.follow import Follower
from proxy.fleet.last_known_good import LastKnownGood
from proxy.gateway.access import Access
from proxy.gateway.gateway import Gateway
from proxy.gateway.vendors import Vendors, fingerprint, open_vendors
from proxy.http.deadlines import Deadlines
from proxy.http.listener import READ_BYTES, Listener
from proxy.http.outbox import Outbox
from proxy.http.server import ServerConnection
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.observe.stats import Stats
from proxy.settings import Settings, StoreSettings, split_address
from proxy.store.base import Store
from proxy.store.url import open_store
from proxy.versions.record import Member

BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a proxy listens, as `HOST:PORT`."""

    data: str
    admin: str


@dataclass(slots=True)
class Running:
    """A proxy that serves. `stop` drains it and closes everything."""

    bound: Bound
    follower: Follower
    gateway: Gateway
    listener: Listener
    _server: asyncio.Server
    _runner: web.AppRunner
    _vendors: Vendors
    _store: Store
    _following: asyncio.Task[None]
    _log: FilteringBoundLogger

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop listening, let requests finish for `grace_s` seconds (default: as configured)."""
        limit_s = self.gateway.settings.timeouts.drain_s if grace_s is None else grace_s
        self._log.info(events.PROXY_DRAINING, in_flight=self.gateway.stats.in_flight)
        self.follower.reporter.drain()
        self.listener.draining = self.gateway.draining = True
        self._server.close()
        for connection in list(self.listener.connections):
            connection.close_idle()
        until = self.gateway.loop.time() + limit_s
        await self.gateway.drain(limit_s)
        await self.listener.wait_until_taken(until)
        await self._close()
        self._log.info(events.PROXY_STOPPED)

    def cut_off(self) -> None:
        """Break off whatever `stop` still waits for."""
        self.gateway.cut_off()
        for connection in list(self.listener.connections):
            connection.abort()

    async def _close(self) -> None:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self.follower.reporter.leave()
        for connection in list(self.listener.connections):
            connection.abort()
        self.listener.deadlines.close()
        await self._vendors.close()
        await self._runner.cleanup()
        await self._store.close()
        # Closed transports report to their protocols in the next turn of the loop.
        await asyncio.sleep(0)
        self.gateway.close()


async def start(settings: Settings, *, env: Mapping[str, str], sink: LogSink) -> Running:
    """Start a proxy in the running loop and return it, serving.

    Raises `OSError` if an address cannot be bound, `InvalidArgument` for a store URL that cannot
    be read. The store need not be there.
    """
    loop = asyncio.get_running_loop()
    sink.attach(loop)
    log = open_log(sink)
    store = open_store(settings.store.url.get_secret_value(), namespace=settings.store.namespace)
    follower = _follower(settings, store, log)
    following = loop.create_task(follower.run())
    try:
        await follower.start()
        return await _listen(settings, env, sink, log, store, follower, following)
    except BaseException:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await store.close()
        raise


def _follower(settings: Settings, store: Store, log: FilteringBoundLogger) -> Follower:
    name = settings.fleet.name or f"{socket.gethostname()}-{secrets.token_hex(2)}"
    member = Member(name, 0, {}, release=__version__, fingerprint=fingerprint(settings))
    return Follower(
        store,
        member=member,
        disk=LastKnownGood(settings.state.dir, store_place(settings.store)),
        log=log,
        clock=time.monotonic,
        explicit_versions=settings.limits.explicit_versions,
    )


def store_place(store: StoreSettings) -> str:
    """Return where the store is, without credentials: epochs of two places do not compare."""
    url = urlsplit(store.url.get_secret_value())
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path} {store.namespace}"


async def _listen(
    settings: Settings,
    env: Mapping[str, str],
    sink: LogSink,
    log: FilteringBoundLogger,
    store: Store,
    follower: Follower,
    following: asyncio.Task[None],
) -> Running:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    scratch = memoryview(bytearray(READ_BYTES))
    outbox = Outbox(loop)
    received = memoryview(bytearray(READ_BYTES))
    vendors = open_vendors(settings, env, deadlines, received, outbox, loop)
    gateway = Gateway(
        settings,
        follower=follower,
        vendors=vendors,
        access=Access(settings.apps),
        sink=sink,
        log=log,
        stats=Stats(),
        loop=loop,
    )
    listener = Listener(
        loop, gateway, settings.limits, settings.timeouts, deadlines, scratch, set(), outbox
    )
    host, port = split_address(settings.listen.data)
    server = await loop.create_server(
        lambda: ServerConnection(listener), host, port, backlog=BACKLOG
    )
    try:
        runner = await _admin(settings, follower, gateway, sink, log)
    except BaseException:
        server.close()
        raise
    bound = Bound(_address(server.sockets[0].getsockname()), _address(runner.addresses[0]))
    log.info(events.PROXY_STARTED, data=bound.data, admin=bound.admin, source=follower.state.source)
    return Running(
        bound, follower, gateway, listener, server, runner, vendors, store, following, log
    )


async def _admin(
    settings: Settings,
    follower: Follower,
    gateway: Gateway,
    sink: LogSink,
    log: FilteringBoundLogger,
) -> web.AppRunner:
    host, port = split_address(settings.listen.admin)
    view = AdminView(
        follower, gateway.stats, sink, draining=lambda: gateway.draining, clock=time.monotonic
    )
    runner = build_runner(build_app(view, host), log)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def run(
    settings: Settings, *, env: Mapping[str, str], ready: Callable[[Bound], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends the drain."""
    stop = asyncio.Event()
    now = asyncio.Event()

    def asked_to_stop() -> None:
        (now if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    # Without Python's buffer: its lock would be held by a thread that is stuck when we exit.
    stdout = FileIO(sys.stdout.fileno(), "wb", closefd=False)
    sink = LogSink(stdout, most_lines=settings.limits.log_lines)
    try:
        running = await start(settings, env=env, sink=sink)
        # What was made so far lives as long as the process: keep it out of every collection.
        gc.freeze()
        if ready is not None:
            ready(running.bound)
        await stop.wait()
        await _stop_unless(running, now)
    finally:
        sink.close()


async def _stop_unless(running: Running, now: asyncio.Event) -> None:
    """Drain; cut what is left as soon as `now` is set."""
    waiting = asyncio.ensure_future(now.wait())
    stopping = asyncio.ensure_future(running.stop())
    await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        running.cut_off()
    waiting.cancel()
    await stopping


def serve(
    settings: Settings, *, env: Mapping[str, str], ready: Callable[[Bound], None] | None = None
) -> int:
    """Run a proxy in this process until it is told to stop. Return the exit status."""
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run(settings, env=env, ready=ready))
    return 0

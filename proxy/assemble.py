"""A proxy from its parts, on sockets that are open already."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proxy import __version__, events
from proxy.admin.view import AdminView, Alone
from proxy.fleet.follow import Follower
from proxy.fleet.last_known_good import LastKnownGood
from proxy.fleet.naming import made_up_name, new_instance
from proxy.fleet.snapshot import Snapshot
from proxy.gateway.access import Access
from proxy.gateway.gateway import Gateway
from proxy.gateway.preflight import Preflight
from proxy.gateway.vendors import Vendors, fingerprint, open_vendors
from proxy.http.deadlines import Deadlines
from proxy.http.listener import READ_BYTES, Listener
from proxy.http.outbox import Outbox
from proxy.http.server import ServerConnection
from proxy.http.sockets import BACKLOG, Sockets, open_both
from proxy.http.steering import steer_here, steer_nowhere
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.observe.loop_lag import LoopLag
from proxy.observe.stats import Stats
from proxy.running import Running
from proxy.settings import Settings, StoreSettings, split_address
from proxy.store.base import Store
from proxy.store.url import open_store
from proxy.versions.record import Member

if TYPE_CHECKING:
    from aiohttp import web
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class Role:
    """What a proxy is among others. `worker` counts from 1, 0 is one that is alone. `listeners`
    is how many sockets they have together; one of them `saves` last known good."""

    worker: int = 0
    instance: str = ""
    listeners: int = 1
    saves: bool = True


ALONE = Role()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is before a proxy is built. `former` is the one that it replaces."""

    settings: Settings
    env: Mapping[str, str]
    sink: LogSink
    log: FilteringBoundLogger
    role: Role
    former: Running | None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What lives as long as a proxy and is closed with it."""

    store: Store
    disk: LastKnownGood
    following: asyncio.Task[None]


async def start(
    settings: Settings, *, env: Mapping[str, str], sink: LogSink, takeover: bool = False
) -> Running:
    """Start a proxy in the running loop and return it, serving; with `takeover`, beside one that
    listens on the same addresses.

    Raises `OSError` if an address cannot be bound, `InvalidArgument` for a store URL that cannot
    be read. The store need not be there.
    """
    sink.attach(asyncio.get_running_loop())
    sockets = await open_both(settings.listen, join=takeover)
    try:
        running = await assemble(sockets, settings, env=env, sink=sink)
    except BaseException:
        sockets.close()
        raise
    if takeover:
        settle_in(sockets)
    bound, source = running.bound, running.follower.state.source
    running.log.info(events.PROXY_STARTED, data=bound.data, admin=bound.admin, source=source)
    return running


def settle_in(sockets: Sockets) -> None:
    """Answer for the admin address from now on, and share the other with who is there already."""
    for one in sockets.admin:
        steer_here(one)
    for one in sockets.data:
        steer_nowhere(one)


async def assemble(
    sockets: Sockets,
    settings: Settings,
    *,
    env: Mapping[str, str],
    sink: LogSink,
    role: Role = ALONE,
    former: Running | None = None,
) -> Running:
    """Build a proxy that serves on `sockets`, and return it. Raises as `start`; the sockets are
    the caller's until then. It goes on with what `former` knows and has counted."""
    log = open_log(sink)
    plan = _Plan(
        settings, env, sink, log.bind(worker=role.worker) if role.worker else log, role, former
    )
    store = open_store(
        settings.store.url.get_secret_value(),
        namespace=settings.store.namespace,
        password_file=settings.store.password_file,
    )
    disk = _disk(plan)
    follower = _follower(plan, store, disk)
    following = asyncio.get_running_loop().create_task(follower.run())
    try:
        await follower.start()
        return await _serve(plan, sockets, follower, _Kept(store, disk, following))
    except BaseException:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await store.close()
        raise


def _disk(plan: _Plan) -> LastKnownGood:
    """Return last known good; that of the former, which may hold the lock, if it is the same."""
    settings, former = plan.settings, plan.former
    if former is not None and _keeps_the_same(former.gateway.settings, settings):
        return former.disk
    return LastKnownGood(settings.state.dir, store_place(settings.store))


def _keeps_the_same(one: Settings, other: Settings) -> bool:
    return one.state.dir == other.state.dir and store_place(one.store) == store_place(other.store)


def _follower(plan: _Plan, store: Store, disk: LastKnownGood) -> Follower:
    settings, role = plan.settings, plan.role
    follower = Follower(
        store,
        member=Member(
            _name(plan),
            0,
            {},
            release=__version__,
            fingerprint=fingerprint(settings),
            instance=role.instance or new_instance(),
        ),
        disk=disk,
        log=plan.log,
        clock=time.monotonic,
        explicit_versions=settings.limits.explicit_versions,
        fit=Preflight(settings.vendors, plan.env, time.monotonic),
    )
    follower.saver.saves = role.saves
    if plan.former is not None and plan.former.follower.snapshot.loaded:
        known = plan.former.follower
        snapshot = known.snapshot if disk is plan.former.disk else rebased(known.snapshot)
        follower.continue_with(snapshot, known.state.source)
        if disk is plan.former.disk:
            follower.conversations.continue_with(known.conversations)
    return follower


def _name(plan: _Plan) -> str:
    """Return what is configured; a name that was made up stays over a reload."""
    former = plan.former
    kept = (
        ""
        if former is None or former.gateway.settings.fleet.name
        else former.follower.reporter.name
    )
    return plan.settings.fleet.name or kept or made_up_name()


def rebased(snapshot: Snapshot) -> Snapshot:
    """Return `snapshot` for another store, whose epochs say nothing about these."""
    pinned = {
        key: replace(item, pin=replace(item.pin, epoch=0)) for key, item in snapshot.pinned.items()
    }
    return Snapshot.of(0, pinned, snapshot.models, snapshot.holders)


def store_place(store: StoreSettings) -> str:
    """Return where the store is, without credentials: epochs of two places do not compare."""
    url = urlsplit(store.url.get_secret_value())
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path} {store.namespace}"


async def _serve(plan: _Plan, sockets: Sockets, follower: Follower, kept: _Kept) -> Running:
    gateway, listener, vendors = _data_path(plan, follower)
    view = AdminView(
        follower,
        gateway.stats,
        plan.sink,
        draining=lambda: gateway.draining,
        clock=time.monotonic,
        circuits=gateway.router.circuits.shown,
    )
    servers: list[asyncio.AbstractServer] = []
    try:
        for one in sockets.data:
            servers.append(await _accept(listener, one))
        admin = await _admin(plan, sockets, view)
    except BaseException:
        for server in servers:
            server.close()
        raise
    return Running(
        follower=follower,
        gateway=gateway,
        listener=listener,
        view=view,
        sockets=sockets,
        listeners=plan.role.listeners,
        disk=kept.disk,
        store=kept.store,
        following=kept.following,
        vendors=vendors,
        servers=servers,
        admin=admin,
        log=plan.log,
        lag=LoopLag(gateway.loop, gateway.stats, plan.log),
    )


def _data_path(plan: _Plan, follower: Follower) -> tuple[Gateway, Listener, Vendors]:
    settings, loop = plan.settings, asyncio.get_running_loop()
    deadlines, outbox = Deadlines(loop), Outbox(loop)
    scratch, received = (memoryview(bytearray(READ_BYTES)) for _ in range(2))
    vendors = open_vendors(settings, plan.env, deadlines, received, outbox, loop)
    gateway = Gateway(
        settings,
        follower=follower,
        vendors=vendors,
        access=Access(settings.apps),
        sink=plan.sink,
        log=plan.log,
        stats=plan.former.gateway.stats if plan.former is not None else Stats(),
        loop=loop,
        draw=random.random,
    )
    follower.older, follower.live = gateway.older, gateway.unmanaged.live.told
    listener = Listener(
        loop, gateway, settings.limits, settings.timeouts, deadlines, scratch, set(), outbox
    )
    return gateway, listener, vendors


async def _accept(listener: Listener, one: socket.socket) -> asyncio.AbstractServer:
    # A copy: the server closes what it is given, and others may go on with the socket.
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: ServerConnection(listener), sock=one.dup(), backlog=BACKLOG
    )


async def _admin(plan: _Plan, sockets: Sockets, view: AdminView) -> web.AppRunner | None:
    if not sockets.admin:
        return None
    # Apps are answered by now: aiohttp takes a third of a start, and is imported beside that.
    await asyncio.to_thread(import_module, "proxy.admin.runner")
    from proxy.admin.app import build_app
    from proxy.admin.runner import build_runner, listen

    host, _ = split_address(plan.settings.listen.admin)
    runner = build_runner(build_app(Alone(view), host), plan.log)
    await listen(runner, sockets.admin)
    return runner

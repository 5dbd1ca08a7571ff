"""Several workers and one process above them, which serves nobody itself.

It holds the sockets, one for each worker, so that what waits for a worker that died waits for the
next one; it answers for all on the admin listener; and it reads the settings anew.
"""

from __future__ import annotations

import asyncio
import select
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from io import FileIO
from typing import TYPE_CHECKING

import uvloop
from aiohttp import web

from proxy import events
from proxy.admin.app import build_app
from proxy.admin.runner import build_runner, listen
from proxy.errors import CannotStart
from proxy.fleet.naming import made_up_name
from proxy.http.sockets import Bound, close_all, open_sockets, shown
from proxy.http.steering import steer_here, steer_nowhere
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.reload import HANDED_OVER_S, Rejected, Reload, read_again, rejecting
from proxy.settings import Settings, Timeouts, split_address
from proxy.signals import Asked
from proxy.workers.child import Child
from proxy.workers.messages import Retire, Stop
from proxy.workers.team import Team, Work, close_sets, open_sets
from proxy.workers.view import WholeView

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# After all the time that was given to requests; who is still there then hangs.
KILL_AFTER_S = 5.0

# Workers that were replaced and still answer take memory; the oldest are given no more time than
# at a stop where there are more.
MOST_BEFORE = 2


Ready = Callable[[Bound], None]


class AdminDoor:
    """The admin listener, on sockets of one address."""

    def __init__(self, address: str, sockets: list[socket.socket]) -> None:
        self.address = address
        self.sockets = sockets
        self._runner: web.AppRunner | None = None

    @classmethod
    async def at(cls, address: str, *, join: bool = False) -> AdminDoor:
        """Open the sockets. Raises `OSError`."""
        return cls(address, await open_sockets(address, join=join))

    async def open(self, view: WholeView, log: FilteringBoundLogger) -> None:
        host, _ = split_address(self.address)
        self._runner = build_runner(build_app(view, host), log)
        await listen(self._runner, self.sockets)

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        close_all(self.sockets)


class Supervisor:
    def __init__(
        self, work: Work, admin: AdminDoor, reload: Reload | None, log: FilteringBoundLogger
    ) -> None:
        self.view = WholeView(Team(work, log, self._died))
        self._admin = admin
        self._reload = reload
        self._log = log
        self._retiring: dict[Team, asyncio.Task[None]] = {}

    @property
    def team(self) -> Team:
        return self.view.team

    @property
    def bound(self) -> Bound:
        return Bound(shown(self.team.work.sets[0][0]), shown(self._admin.sockets[0]))

    async def start(self) -> None:
        """Start the workers, then answer for them. Raises `Rejected`."""
        await self.team.start(saves=True)
        await self._admin.open(self.view, self._log)

    def settle_in(self) -> None:
        """Answer for the admin address from now on, and share the other with who is there."""
        for one in self._admin.sockets:
            steer_here(one)
        for one in self.team.work.sets[0]:
            steer_nowhere(one)

    async def reload(self) -> None:
        """Have new workers serve with the settings as they are now, and the old ones end."""
        try:
            with rejecting():
                await self._replace()
        except Rejected as rejected:
            self._log.error(events.SETTINGS_REJECTED, problems=rejected.problems)
        else:
            bound = self.bound
            self._log.info(events.SETTINGS_RELOADED, data=bound.data, admin=bound.admin)

    async def stop(self, asked: Asked) -> None:
        """Drain; cut what is left as soon as `asked.now` is set."""
        self.view.draining = True
        teams = [self.team, *self._retiring]
        self._log.info(events.PROXY_DRAINING, workers=len(self.team.serving))
        for team in teams:
            team.leave(Stop(asked.quick))
        ending = asyncio.ensure_future(self._ended(teams))
        waiting = asyncio.ensure_future(asked.now.wait())
        limit_s = _drained_s(self.team.work.settings.timeouts)
        await asyncio.wait((ending, waiting), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for team in teams:
            await team.end()
        await ending
        await asyncio.gather(*self._retiring.values())
        await self._admin.close()
        self._log.info(events.PROXY_STOPPED)

    async def _ended(self, teams: list[Team]) -> None:
        await self.team.deaf()
        # In one go: between two of these the kernel may choose a socket that nobody accepts from.
        close_sets(self.team.work.sets)
        for team in teams:
            await team.over()

    async def _replace(self) -> None:
        old = self.team.work
        assert self._reload is not None
        await self._make_room()
        settings = await read_again(self._reload, old.settings, old.env)
        admin, sets = self._admin, old.sets
        async with AsyncExitStack() as undo:
            if settings.listen.admin != admin.address:
                admin = await AdminDoor.at(settings.listen.admin)
                undo.push_async_callback(admin.close)
                await admin.open(self.view, self._log)
            if settings.listen.data != old.settings.listen.data:
                sets = await open_sets(settings.listen.data, settings.listen.workers)
                undo.callback(close_sets, sets)
            name = settings.fleet.name or old.name
            team = Team(Work(settings, old.env, name, sets), self._log, self._died)
            await team.start(saves=False)
            undo.pop_all()
        await self._switch(team, admin)

    async def _make_room(self) -> None:
        """Wait until few teams are left that still answer; the oldest is hurried."""
        while len(self._retiring) >= MOST_BEFORE:
            oldest = next(iter(self._retiring))
            oldest.tell(Stop())
            await asyncio.wait(
                self._retiring.values(),
                timeout=_drained_s(oldest.work.settings.timeouts),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if oldest in self._retiring:
                await oldest.end()
                await asyncio.wait((self._retiring[oldest],))

    async def _switch(self, team: Team, admin: AdminDoor) -> None:
        before, self.view.team = self.team, team
        self.view.before.append(before)
        self._retiring[before] = asyncio.ensure_future(self._retire(before))
        if admin is not self._admin:
            old, self._admin = self._admin, admin
            await old.close()

    async def _retire(self, before: Team) -> None:
        """Have `before` finish what it began, and end. Its sockets are the new team's, or go."""
        shared = before.work.sets is self.team.work.sets
        before.leave(Retire(shared))
        with suppress(TimeoutError):
            async with asyncio.timeout(HANDED_OVER_S + KILL_AFTER_S):
                await before.deaf()
                if not shared:
                    close_sets(before.work.sets)
                await before.over()
        await before.end()
        for child in before.children.values():
            self.view.tally.add(child.worker, child.page)
        self.view.before.remove(before)
        del self._retiring[before]
        if not self._retiring:
            # Nobody else does any more, and nobody holds the lock.
            self.team.save()

    def _died(self, child: Child) -> None:
        self.view.tally.add(child.worker, child.page)
        self.view.restarts += 1
        self._log.error(
            events.WORKER_DIED,
            worker=child.worker,
            pid=child.pid,
            problems=child.problems,
            **child.fate,
        )


def _drained_s(timeouts: Timeouts) -> float:
    """Return how long workers have to end that were told to: twice the delay, see `running.py`."""
    return 2 * timeouts.drain_delay_s + timeouts.drain_s + KILL_AFTER_S


async def run(
    settings: Settings,
    *,
    env: Mapping[str, str],
    ready: Ready | None = None,
    reload: Reload | None = None,
    takeover: bool = False,
) -> None:
    """Do as `proxy.serve.run`, with several processes."""
    asked = Asked()
    asked.listen(reloads=reload is not None)
    sink = LogSink(
        FileIO(sys.stdout.fileno(), "wb", closefd=False),
        most_lines=settings.limits.log_lines,
        whole_bytes=select.PIPE_BUF,
    )
    log = open_log(sink)
    try:
        supervisor = await _opened(settings, env, reload, log, takeover=takeover)
        if await asked.unless_stopped(supervisor.start()):
            bound = supervisor.bound
            if takeover:
                supervisor.settle_in()
            log.info(
                events.PROXY_STARTED,
                data=bound.data,
                admin=bound.admin,
                workers=settings.listen.workers,
            )
            if ready is not None:
                ready(bound)
        while await asked.wait():
            await asked.unless_stopped(supervisor.reload())
        await supervisor.stop(asked)
    except Rejected as rejected:
        raise CannotStart(f"the proxy cannot start: {rejected}") from None
    finally:
        sink.close()


async def _opened(
    settings: Settings,
    env: Mapping[str, str],
    reload: Reload | None,
    log: FilteringBoundLogger,
    *,
    takeover: bool,
) -> Supervisor:
    """Open the sockets. Raises `OSError`."""
    listen = settings.listen
    sets = await open_sets(listen.data, listen.workers, join=takeover)
    try:
        admin = await AdminDoor.at(listen.admin, join=takeover)
    except BaseException:
        close_sets(sets)
        raise
    name = settings.fleet.name or made_up_name()
    return Supervisor(Work(settings, env, name, sets), admin, reload, log)


def supervise(
    settings: Settings,
    *,
    env: Mapping[str, str],
    ready: Ready | None = None,
    reload: Reload | None = None,
    takeover: bool = False,
) -> int:
    """Run a proxy of several processes until it is told to stop. Return the exit status.

    Raises `OSError` and `CannotStart`.
    """
    with suppress(KeyboardInterrupt):
        uvloop.run(run(settings, env=env, ready=ready, reload=reload, takeover=takeover))
    return 0

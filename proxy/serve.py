"""A proxy in this process: signals, and settings that are read again while it serves."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Mapping
from io import FileIO

import uvloop

from proxy import events
from proxy.assemble import assemble, start, store_place
from proxy.http.sockets import Bound, Sockets, open_sockets
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.reload import HANDED_OVER_S, Rejected, Reload, read_again, rejecting
from proxy.running import Running
from proxy.settings import Listen, Settings
from proxy.signals import Asked

__all__ = ["Bound", "Running", "run", "serve", "start", "store_place"]

# A reload leaves the proxy before it to its requests. That takes memory, so the oldest is given no
# more time than at a stop where there are more.
MOST_BEFORE = 16

Ready = Callable[[Bound], None]


class House:
    """The proxy of this process: the one that serves, and those before it that still answer."""

    def __init__(
        self,
        serving: Running,
        env: Mapping[str, str],
        sink: LogSink,
        reload: Reload | None,
        *,
        most_before: int = MOST_BEFORE,
    ) -> None:
        self.serving = serving
        self._env = env
        self._sink = sink
        self._reload = reload
        self._most_before = most_before
        self._log = open_log(sink)
        self._before: dict[asyncio.Task[None], Running] = {}

    async def reload(self) -> None:
        """Serve with the settings as they are now; with the old ones if those cannot be used."""
        try:
            with rejecting():
                await self._replace()
        except Rejected as rejected:
            self._log.error(events.SETTINGS_REJECTED, problems=rejected.problems)
        else:
            bound = self.serving.bound
            self._log.info(events.SETTINGS_RELOADED, data=bound.data, admin=bound.admin)

    async def stop(self, asked: Asked) -> None:
        """Drain; cut what is left as soon as `asked.now` is set."""
        limit_s = self.serving.gateway.settings.timeouts.drain_s
        for before in self._before.values():
            before.hurry(limit_s)
        stopping = asyncio.gather(
            self.serving.stop(delay_s=0.0 if asked.quick else None), *self._before
        )
        waiting = asyncio.ensure_future(asked.now.wait())
        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            for one in (self.serving, *self._before.values()):
                one.cut_off()
        waiting.cancel()
        await stopping

    async def _replace(self) -> None:
        old = self.serving
        assert self._reload is not None
        await self._make_room()
        settings = await read_again(self._reload, old.gateway.settings, self._env)
        sockets = await _opened(settings.listen, old)
        # Nothing lives as long as the process now; what was frozen would never be collected.
        gc.unfreeze()
        try:
            new = await assemble(sockets, settings, env=self._env, sink=self._sink, former=old)
        except BaseException:
            sockets.without(old.sockets).close()
            raise
        self.serving = new
        self._sink.most_lines = settings.limits.log_lines
        task = asyncio.ensure_future(old.hand_over(new, HANDED_OVER_S))
        self._before[task] = old
        task.add_done_callback(self._before.pop)

    async def _make_room(self) -> None:
        """Wait until few are left that still answer; the oldest is hurried."""
        while len(self._before) >= self._most_before:
            oldest = next(iter(self._before.values()))
            oldest.hurry(oldest.gateway.settings.timeouts.drain_s)
            await asyncio.wait(self._before, return_when=asyncio.FIRST_COMPLETED)


async def _opened(listen: Listen, old: Running) -> Sockets:
    """Return the sockets of `old` where the address is the same, else new ones."""
    was, held = old.gateway.settings.listen, old.sockets
    data = held.data if listen.data == was.data else await open_sockets(listen.data)
    try:
        admin = held.admin if listen.admin == was.admin else await open_sockets(listen.admin)
    except BaseException:
        Sockets(data, []).without(held).close()
        raise
    return Sockets(data, admin)


async def run(
    settings: Settings,
    *,
    env: Mapping[str, str],
    ready: Ready | None = None,
    reload: Reload | None = None,
    takeover: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends the drain. SIGHUP has the
    settings read again by `reload`."""
    asked = Asked()
    asked.listen(reloads=reload is not None)
    # Without Python's buffer: its lock would be held by a thread that is stuck when we exit.
    stdout = FileIO(sys.stdout.fileno(), "wb", closefd=False)
    sink = LogSink(stdout, most_lines=settings.limits.log_lines)
    try:
        running = await start(settings, env=env, sink=sink, takeover=takeover)
        # What was made so far lives as long as the process: keep it out of every collection.
        gc.freeze()
        if ready is not None:
            ready(running.bound)
        house = House(running, env, sink, reload)
        while await asked.wait():
            await asked.unless_stopped(house.reload())
        await house.stop(asked)
    finally:
        sink.close()


def serve(
    settings: Settings,
    *,
    env: Mapping[str, str],
    ready: Ready | None = None,
    reload: Reload | None = None,
    takeover: bool = False,
) -> int:
    """Run a proxy in this process until it is told to stop. Return the exit status."""
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run(settings, env=env, ready=ready, reload=reload, takeover=takeover))
    return 0

"""One of several processes that serve. Its supervisor tells it what to do, through its standard
input, and asks it how it is; when that pipe ends, it drains and ends too.

Signals are the supervisor's: those that go to a whole group would be obeyed twice.
"""

from __future__ import annotations

import asyncio
import gc
import select
import signal
import socket
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from io import FileIO
from typing import Any

import uvloop

from proxy.assemble import Role, assemble
from proxy.errors import ProxyError
from proxy.http.sockets import Sockets
from proxy.observe.log_sink import LogSink
from proxy.reload import HANDED_OVER_S, Rejected, rejecting
from proxy.running import Running
from proxy.settings import Settings
from proxy.store.base import Store
from proxy.workers.channel import Channel
from proxy.workers.messages import (
    Answer,
    Ask,
    Begin,
    Cut,
    Deaf,
    Failed,
    Order,
    Over,
    Ready,
    Retire,
    Save,
    Stop,
    What,
)

STDIN, STDOUT = 0, 1

# A dead worker's lease is given up for it, or every pin would wait for it for ten minutes. The
# store may be away for a moment; after this it is missed, as any other.
FORGET_TRIES = 60
FORGET_EVERY_S = 1.0


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    uvloop.run(_work())


async def _work() -> None:
    channel: Channel[Order] = await Channel.open(socket.socket(fileno=STDIN), Order)
    begin = await channel.receive()
    if not isinstance(begin, Begin):
        return
    settings = Settings.model_validate({**begin.settings, "fleet": {"name": begin.name}})
    sink = LogSink(
        FileIO(STDOUT, "wb", closefd=False),
        most_lines=settings.limits.log_lines,
        whole_bytes=select.PIPE_BUF,
    )
    try:
        with rejecting():
            running = await _started(begin, settings, sink)
    except Rejected as rejected:
        channel.send(Failed(rejected.problems))
    else:
        channel.send(Ready())
        await _Worker(running, channel, begin.forget).serve()
    finally:
        await channel.close()
        sink.close()


async def _started(begin: Begin, settings: Settings, sink: LogSink) -> Running:
    sink.attach(asyncio.get_running_loop())
    role = Role(begin.worker, begin.instance, begin.listeners, begin.saves)
    sockets = Sockets([socket.socket(fileno=number) for number in begin.sockets], [])
    running = await assemble(sockets, settings, env=begin.env, sink=sink, role=role)
    gc.freeze()
    return running


class _Worker:
    def __init__(self, running: Running, channel: Channel[Order], dead: list[str]) -> None:
        self._running = running
        self._channel = channel
        self._dead = dead
        self._end: asyncio.Task[None] | None = None
        self._told = asyncio.Event()

    async def serve(self) -> None:
        """Serve until told to stop, and to the end of that."""
        store = self._running.store
        beside = [self._obey(), self._tell_deaf(), forget(store, self._dead)]
        tasks = [asyncio.ensure_future(one) for one in beside]
        await self._told.wait()
        assert self._end is not None
        await self._end
        self._channel.send(Over(self._page()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self) -> None:
        while (order := await self._channel.receive()) is not None:
            self._follow(order)
        # The supervisor died. Whoever starts another one needs the address at once.
        self._finish(self._running.stop(delay_s=0.0))

    def _follow(self, order: Order) -> None:
        match order:
            case Ask(id, what):
                self._channel.send(Answer(id, self._shown(what)))
            case Stop(quick):
                self._finish(self._running.stop(delay_s=0.0 if quick else None))
            case Retire(shared):
                self._finish(self._running.stop(HANDED_OVER_S, shared=shared))
            case Cut():
                self._running.cut_off()
            case Save():
                self._running.follower.saver.saves = True
                self._running.follower.saver.soon()

    def _finish(self, ending: Coroutine[Any, Any, None]) -> None:
        """Begin to end; what ends already is given no more than the usual time."""
        if self._end is None:
            self._end = asyncio.ensure_future(ending)
            self._told.set()
        else:
            ending.close()
            self._running.hurry(self._running.gateway.settings.timeouts.drain_s)

    async def _tell_deaf(self) -> None:
        await self._running.deaf.wait()
        self._channel.send(Deaf())

    def _shown(self, what: What) -> Any:
        view = self._running.view
        match what:
            case What.READINESS:
                return view.readiness()
            case What.STATUS:
                return view.status()
            case What.METRICS:
                return self._page()

    def _page(self) -> str:
        return "\n".join(self._running.view.metrics())


async def forget(store: Store, dead: Iterable[str]) -> None:
    """Take members that died out of the fleet, trying for a while."""
    left = set(dead)
    for _ in range(FORGET_TRIES):
        for key in list(left):
            with suppress(ProxyError):
                await store.leave(key)
                left.discard(key)
        if not left:
            return
        await asyncio.sleep(FORGET_EVERY_S)

"""Nothing stays behind: descriptors, tasks, exchanges, connections go back to where they were."""

import asyncio
import gc
from pathlib import Path

import pytest

from proxy.fleet.last_known_good import FILE
from tests.http.scene import ASK, ASK_STREAM, EVENT, until
from tests.raw_client import RawApp, request
from tests.vendor_script import Cut, Say, Stall, chunk, stream_head

AT_ONCE = 25

ENDLESS = (Say(stream_head() + chunk(EVENT)), Stall())


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Baseline:
    """What a proxy holds when nothing happens. The vendor's side is in this process too."""

    def __init__(self, scene):
        self._scene = scene
        self._before = self._now()

    def _now(self):
        gc.collect()
        running = self._scene.proxy.running
        return {
            "descriptors": descriptors(),
            "tasks": len(asyncio.all_tasks()),
            "connections": len(running.listener.connections),
            "watched": len(running.listener.deadlines._waiting),
            "exchanges": len(running.gateway._exchanges),
            "fetches": len(running.gateway._tasks),
            "in flight": running.gateway.stats.in_flight,
        }

    def _more(self):
        return {name: count for name, count in self._now().items() if count > self._before[name]}

    async def is_reached(self):
        """Wait until there is no more of anything than before."""
        try:
            await until(lambda: not self._more())
        except TimeoutError:
            assert self._more() == {}


@pytest.fixture
async def baseline(scene):
    await until(lambda: scene.connections == 1)
    # From its first save on a proxy holds a lock.
    await until((scene.proxy.directory / "state" / FILE).exists)
    return Baseline(scene)


async def abort(scene, raw):
    app = await RawApp.connect(scene.proxy.address)
    await app.send(raw)
    await app.read_some()
    app.vanish()


@pytest.mark.vendor(*ENDLESS)
async def test_streams_that_apps_abort_leave_nothing(scene, baseline, aborts):
    for _ in range(aborts // AT_ONCE):
        await asyncio.gather(*(abort(scene, ASK_STREAM) for _ in range(AT_ONCE)))

    await baseline.is_reached()
    lines = await scene.lines(aborts)
    assert [line["outcome"] for line in lines] == ["client_closed"] * aborts


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT)), Cut())
async def test_streams_that_the_vendor_breaks_leave_nothing(scene, baseline):
    for _ in range(8):
        await asyncio.gather(*(abort(scene, ASK_STREAM) for _ in range(AT_ONCE)))

    await baseline.is_reached()


@pytest.mark.vendor(Stall())
async def test_apps_that_go_while_others_come_leave_nothing(scene, baseline):
    """They go at every stage: before a word, within a head, within a body, while they wait."""
    raw = request("x" * 50_000)
    stages = [b"", b"P", ASK[:50], ASK[:-5], raw[:40_000], ASK, ASK * 3, raw, b"\x00"]

    async def come_and_go(sent):
        app = await RawApp.connect(scene.proxy.address)
        await app.send(sent)
        await asyncio.sleep(0)
        app.vanish()

    for _ in range(8):
        await asyncio.gather(*(come_and_go(sent) for sent in stages))

    await baseline.is_reached()

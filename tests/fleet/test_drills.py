"""What a proxy knows of drills, and says when one is over."""

import asyncio

import pytest

from proxy.errors import StoreUnavailable
from proxy.fleet.drills import Drills
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.store.sqlite import SqliteStore
from tests.contracts.places import MODEL, operation, pin
from tests.contracts.proof import drill
from tests.fleet.following import PATIENCE_S, registered
from tests.harness import LogFile


@pytest.fixture
async def log():
    file = LogFile()
    sink = LogSink(file, most_lines=100)
    sink.attach(asyncio.get_running_loop())
    yield file, open_log(sink)
    sink.close()


@pytest.fixture
async def following(log):
    """Return a function that follows the drills of a store, often, until the test is over."""
    running = []

    def follow(store):
        drills = Drills(store, log[1], every_s=0.005)
        running.append(asyncio.create_task(drills.run()))
        return drills

    yield follow
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def until_known(drills):
    async with asyncio.timeout(PATIENCE_S):
        while not drills.known:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.002)


@pytest.fixture
async def store(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    yield store
    await store.close()


@pytest.fixture
async def infos(store):
    made = await registered(store, "one", "two")
    await pin(store, made[0])
    return made


async def note(store, infos, **more):
    await store.note_drill(drill(*infos, **more), "{}", reason="", operation=operation())


async def test_the_last_drill_is_known(store, infos, following):
    await note(store, infos)

    drills = following(store)
    await until_known(drills)

    assert drills.known[MODEL].rollback_ms == 7.1
    assert 0 <= drills.age_s(drills.known[MODEL]) < 60


async def test_a_drill_that_ends_is_said_and_one_from_before_is_not(store, infos, following, log):
    await note(store, infos, reverted=False)
    await until_known(following(store))
    await note(store, infos, rollback_ms=9.5)

    (line,) = await log[0].wait_for("drill.finished", 1)

    assert {name: line[name] for name in line if name not in ("event", "ts", "level")} == {
        "model": MODEL,
        "label": "drill",
        "version": infos[0].id,
        "previous": infos[1].id,
        "reverted": True,
        "rollback_ms": 9.5,
        "proxies": 2,
        "by": "ada",
    }


class Moody:
    """A store that answers at its second thought."""

    def __init__(self, store, error):
        self._store, self._errors = store, [error]

    async def drills(self):
        if self._errors:
            raise self._errors.pop()
        return await self._store.drills()


@pytest.mark.parametrize("error", [StoreUnavailable(), AttributeError("drills"), ValueError()])
async def test_a_store_that_does_not_say_is_asked_again(store, infos, following, error):
    await note(store, infos)

    drills = following(Moody(store, error))
    await until_known(drills)

    assert MODEL in drills.known

"""What a Redis that keeps its data on disk has after a crash: whole operations, in order."""

import contextlib
import shutil

import redis

from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from proxy.versions.record import Kind
from tests.contracts.places import MODEL, pin
from tests.fleet.following import registered
from tests.redis_server import RedisServer

# What a crash may tear off: from a single byte to several operations.
TORN_BYTES = (1, 5, 80, 200, 400, 700, 1100, 1600, 2400, 4000)


def restart(server):
    """Start the server, and wait until it has read what it kept."""
    server.start()
    for _ in range(1000):
        with contextlib.suppress(redis.exceptions.BusyLoadingError):
            return server.run("PING")
    raise AssertionError("it takes too long to load next to nothing")


@contextlib.asynccontextmanager
async def store_on(server):
    store = RedisStore(source(server.url))
    try:
        yield store
    finally:
        await store.close()


async def test_what_was_answered_outlives_a_killed_server(start_redis):
    """With `everysec` it need not: while its disk is slow, Redis answers before it writes."""
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    for round in range(1, 6):
        async with store_on(server) as store:
            (info,) = await registered(store, f"Version {round}.")
            swapped = await pin(store, info)
            server.stop()
        restart(server)
        async with store_on(server) as store:
            kept, pins = await store.versions(MODEL), await store.pins()

        assert kept[-1] == info
        assert len(kept) == pins.epoch == swapped.epoch == round
        assert pins.pins[MODEL, "prod"].id == info.id


async def test_torn_end_of_the_log_takes_whole_operations_with_it(start_redis, tmp_path):
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    async with store_on(server) as store:
        for info in await registered(store, *(f"Version {n}." for n in range(1, 6))):
            await pin(store, info)
        whole = await store.history(MODEL)
    server.stop()

    kept = []
    for torn in TORN_BYTES:
        copy = RedisServer(tmp_path / f"torn-{torn}", *server.options)
        shutil.copytree(server.directory, copy.directory)
        tear(copy.directory, torn)
        restart(copy)
        async with store_on(copy) as store:
            kept.append(await consistent(store))
        copy.stop()

    assert [history for history in kept if history != whole[len(whole) - len(history) :]] == []
    assert len(whole) > len(kept[0]) > len(kept[-1])


def tear(directory, torn):
    (log,) = directory.glob("appendonlydir/*.incr.aof")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - torn)


async def consistent(store):
    """Return the history of a store in which everything fits to everything else."""
    history, versions, pins = (
        await store.history(MODEL),
        await store.versions(MODEL),
        await store.pins(),
    )
    created = [event.version for event in reversed(history) if event.kind is Kind.REGISTER]
    moved = [event for event in history if event.kind is Kind.PIN]
    assert created == [info.id for info in versions]
    assert [info.number for info in versions] == list(range(1, len(versions) + 1))
    for info in versions:
        assert (await store.version(MODEL, info.number)).info == info
    assert pins.epoch == len(moved)
    assert [pin.id for pin in pins.pins.values()] == [event.version for event in moved[:1]]
    return history

"""Watching a Redis that freezes, dies, forgets, or is written to by hand."""

import asyncio
import errno
import time
from contextlib import aclosing

import pytest
import uvloop

from proxy.errors import StoreUnavailable
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_url import source
from proxy.store.redis_watch import watch
from proxy.versions.record import Pins
from tests.contracts.places import MODEL, change, order, registered
from tests.store.relay import relayed
from tests.store.story import eventually, until

KEYS = Keys()
PROD = (MODEL, "prod")


@pytest.fixture
def store(redis_store):
    return redis_store


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b")


def watching(url, held=(), **options):
    return aclosing(watch(source(url).make, KEYS, held, **options))


async def pin(store, info, label="prod"):
    return await store.swap(order(change(info, label)))


async def lost(pins):
    """Read on until the watch gives up; return after how many seconds."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await until(pins, lambda seen: False)
    return time.monotonic() - started


async def test_a_swap_is_told_without_waiting_for_the_poll(server, store, versions):
    async with watching(server.url, poll_s=60) as pins:
        await anext(pins)
        started = time.monotonic()
        for n in range(20):
            await pin(store, versions[n % 2])
            await until(pins, lambda seen, n=n: seen.epoch == n + 1)

    assert time.monotonic() - started < 2


async def test_a_swap_whose_message_was_lost_is_found_by_the_poll(server, store, versions):
    await pin(store, versions[0])
    v2 = versions[1]
    async with watching(server.url) as pins:
        await anext(pins)
        server.run("SADD", KEYS.pinned, f"{MODEL}:canary")
        server.run("SET", KEYS.pin((MODEL, "canary")), f"2|{v2.id}|{v2.digest}|quiet")
        server.run("SET", KEYS.epoch, "2")

        seen = await until(pins, lambda seen: seen.epoch == 2)

    assert seen.pins[MODEL, "canary"].id == v2.id


@pytest.mark.parametrize("moment", [b"SUBSCRIBE", b"MGET", b"SMEMBERS"])
async def test_no_moment_is_too_early_for_a_swap_to_be_seen(server, store, versions, moment):
    async with relayed(server.port) as relay, watching(relay.url, poll_s=60) as pins:
        relay.before = (moment, lambda: pin(store, versions[0]))

        seen = await until(pins, lambda seen: seen.epoch == 1)

    assert seen.pins.keys() == {PROD}


async def test_a_frozen_server_is_noticed_within_two_seconds(server, store):
    async with watching(server.url) as pins:
        await anext(pins)
        server.freeze()

        took_s = await lost(pins)

    assert took_s < 2


async def test_a_server_that_does_not_answer_at_all_is_given_up(server):
    server.freeze()
    async with watching(server.url) as pins:
        assert await lost(pins) < 3


@pytest.mark.parametrize("pause_s", [0.1, 0.6])
async def test_a_short_pause_is_no_loss(server, store, versions, pause_s):
    async with watching(server.url) as pins:
        await anext(pins)
        server.freeze()
        asyncio.get_running_loop().call_later(pause_s, server.thaw)
        await anext(pins)
        await anext(pins)


@pytest.mark.parametrize(("pause_ms", "is_lost"), [(100, False), (2000, True)])
async def test_a_server_that_pauses_its_clients_is_lost_when_it_takes_long(
    server, store, pause_ms, is_lost
):
    async with watching(server.url, poll_s=0.1) as pins:
        await anext(pins)
        server.run("CLIENT", "PAUSE", pause_ms, "ALL")
        if is_lost:
            assert await lost(pins) < 1.5
        else:
            for _ in range(3):
                await anext(pins)


async def test_a_busy_event_loop_is_not_taken_for_a_dead_server(server, store):
    async with watching(server.url) as pins:
        await anext(pins)
        time.sleep(1.5)  # noqa: ASYNC251  # that is the point
        await anext(pins)


async def test_who_is_busy_with_the_last_pins_is_not_told_that_the_store_fell_silent(server, store):
    async with watching(server.url, poll_s=0.01) as pins:
        await anext(pins)
        await asyncio.sleep(0.2)  # many polls long
        await anext(pins)
        await anext(pins)


async def test_a_killed_server_is_noticed_at_once(server, store):
    async with watching(server.url, poll_s=60) as pins:
        await anext(pins)
        server.stop()

        assert await lost(pins) < 1


async def test_a_server_that_is_not_there_is_noticed_at_once(server):
    server.stop()
    async with watching(server.url) as pins:
        assert await lost(pins) < 1


async def test_a_connection_that_was_killed_is_noticed_at_once(server, store):
    async with watching(server.url, poll_s=60) as pins:
        await anext(pins)
        server.run("CLIENT", "KILL", "TYPE", "pubsub")

        assert await lost(pins) < 1


async def test_a_dead_socket_ends_the_watch_and_does_not_spin(server):
    wires = []

    async def make():
        wires.append(await source(server.url).make())
        return wires[-1]

    async with aclosing(watch(make, KEYS, ())) as pins:
        await anext(pins)
        began_s = time.process_time()
        wires[0]._transport._force_close(OSError(errno.ETIMEDOUT, "timed out"))

        assert await lost(pins) < 1
        await asyncio.sleep(0.2)
        # Of our own processor, however busy the machine is: a loop that spins takes all of it.
        assert time.process_time() - began_s < 0.1


@pytest.mark.parametrize("cut_at", [5, 40, 90, 150, 200, 260])
async def test_an_answer_that_ends_half_way_yields_nothing(server, store, versions, cut_at):
    await pin(store, versions[0])
    whole = await store.pins()
    async with relayed(server.port) as relay, watching(relay.url, {PROD}, poll_s=0.05) as pins:
        await anext(pins)
        relay.answered_bytes, relay.cut_answers_at = 0, cut_at
        with pytest.raises(StoreUnavailable):
            await until(pins, lambda seen: seen != whole)


async def test_an_emptied_server_shows_no_pins(server, store, versions):
    await pin(store, versions[0])
    async with watching(server.url, {PROD}) as pins:
        await anext(pins)
        server.run("FLUSHALL")

        seen = await until(pins, lambda seen: seen.epoch == 0)

    assert seen == Pins(0, {}, frozenset())


async def test_a_deleted_pin_is_broken(server, store, versions):
    await pin(store, versions[0])
    async with watching(server.url) as pins:
        await anext(pins)
        server.run("DEL", KEYS.pin(PROD))

        seen = await until(pins, lambda seen: seen.broken)

    assert (seen.epoch, seen.pins, seen.broken) == (1, {}, {PROD})


async def test_a_pin_of_another_type_is_broken(server, store, versions):
    await pin(store, versions[0])
    async with watching(server.url) as pins:
        await anext(pins)
        server.run("DEL", KEYS.pin(PROD))
        server.run("SADD", KEYS.pin(PROD), "theirs")

        assert (await until(pins, lambda seen: seen.broken)).broken == {PROD}


async def test_a_foreign_list_of_pins_ends_the_watch(server, store):
    server.run("SET", KEYS.pinned, "theirs")
    async with watching(server.url) as pins:
        with pytest.raises(StoreUnavailable, match="not ours"):
            await anext(pins)


async def test_messages_of_others_are_only_hints(server, store, versions):
    await pin(store, versions[0])
    async with watching(server.url) as pins:
        first = await anext(pins)
        for text in ("9", "nonsense", "", b"\xff"):
            server.run("PUBLISH", KEYS.changes, text)
            assert await anext(pins) == first


async def test_a_flood_of_messages_is_read_together(server, store, versions):
    async with watching(server.url, poll_s=60) as pins:
        await anext(pins)
        before = server.run("INFO", "commandstats")["cmdstat_mget"]["calls"]
        for _ in range(5):
            server.run("EVAL", f"for i=1,200 do redis.call('PUBLISH', '{KEYS.changes}', '') end", 0)
        await pin(store, versions[0])
        await until(pins, lambda seen: seen.epoch == 1)
        after = server.run("INFO", "commandstats")["cmdstat_mget"]["calls"]

    assert after - before < 50


async def test_a_watch_that_stops_leaves_no_connection(server):
    async with watching(server.url) as pins:
        await anext(pins)

    await eventually(lambda: server.run("INFO", "clients")["connected_clients"] == 1)


def test_the_proxys_own_event_loop_does_as_well(server):
    async def story():
        store = RedisStore(source(server.url))
        versions = await registered(store, "a", "b")
        async with watching(server.url, poll_s=60) as pins:
            await anext(pins)
            await pin(store, versions[0])
            await until(pins, lambda seen: seen.epoch == 1)
        async with watching(server.url) as pins:
            await anext(pins)
            server.freeze()
            took_s = await lost(pins)
        server.thaw()
        await store.close()
        return took_s

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(story()) < 2

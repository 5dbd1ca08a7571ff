"""Answers that get lost, servers that are not there: what the caller is told."""

import asyncio
import errno
import time

import pytest

from proxy.errors import Conflict, OutcomeUnknown, StoreUnavailable
from proxy.store.base import Expect
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_link import Source
from proxy.store.redis_url import source
from tests.contracts.places import MODEL, change, new, operation, order, registered, settled
from tests.listening import listening
from tests.store.relay import relayed
from tests.store.story import eventually, refused

KEYS = Keys()


@pytest.fixture
def store(redis_store):
    return redis_store


async def test_a_lost_answer_to_a_swap_is_an_unknown_outcome(server, store, connect):
    (info,) = await registered(store, "a")
    wanted = order(change(info, expect=Expect(None)))
    async with relayed(server.port) as relay:
        relay.lose_answer_to = b"EVAL"
        with pytest.raises(OutcomeUnknown) as caught:
            await connect(relay.url).swap(wanted)

    assert caught.value.operation == wanted.operation
    assert wanted.operation in caught.value.hint


async def test_a_swap_whose_answer_was_lost_is_repeated_by_its_operation_id(server, store, connect):
    (info,) = await registered(store, "a")
    wanted = order(change(info, expect=Expect(None)))
    async with relayed(server.port) as relay:
        relay.lose_answer_to = b"EVAL"
        await settled([connect(relay.url).swap(wanted)])

    again = await store.swap(wanted)

    assert (again.replayed, again.epoch) == (True, 1)
    assert len(await store.history(MODEL)) == 2


async def test_a_registration_whose_answer_was_lost_counts_once(server, store, connect):
    asked, id = new("a"), operation()
    async with relayed(server.port) as relay:
        relay.lose_answer_to = b"EVAL"
        with pytest.raises(OutcomeUnknown):
            await connect(relay.url).register(asked, id)

    again = await store.register(asked, id)

    assert (again.created, again.info.number) == (True, 1)
    assert len(await store.versions(MODEL)) == 1


async def test_nothing_is_sent_twice_by_itself(server, connect):
    async with relayed(server.port) as relay:
        relay.lose_answer_to = b"EVAL"
        await settled([connect(relay.url).register(new("a"), operation())])

        assert relay.connections == 1


async def test_silence_after_a_write_is_an_unknown_outcome(server, connect):
    async with relayed(server.port) as relay:
        relay.swallow_answer_to = b"EVAL"
        store = connect(relay.url, deadline_s=0.2)
        with pytest.raises(OutcomeUnknown):
            await store.freeze(MODEL, True, by="ada", reason="", operation=operation())


async def test_silence_after_a_read_ends_at_the_deadline(server, connect):
    async with relayed(server.port) as relay:
        relay.swallow_answer_to = b"SMEMBERS"
        store = connect(relay.url, deadline_s=0.2)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.pins()

    assert time.monotonic() - started < 1


async def test_a_late_answer_is_not_taken_for_the_next_one(server, connect):
    store = connect(server.url, deadline_s=0.1)
    await registered(store, "a")
    server.freeze()
    with pytest.raises(StoreUnavailable):
        await store.versions(MODEL)

    server.thaw()

    assert await store.models() == [MODEL]


async def test_a_cancelled_call_leaves_no_answer_behind(store):
    await registered(store, "a")
    for _ in range(20):
        call = asyncio.ensure_future(store.versions(MODEL))
        await asyncio.sleep(0)
        call.cancel()
        await settled([call])

        assert await store.models() == [MODEL]


async def test_pins_and_epoch_are_of_one_moment(server, store, connect):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    async with relayed(server.port) as relay:
        relay.before = (b"MGET", lambda: store.swap(order(change(info, "canary"))))

        pins = await connect(relay.url).pins()

    assert pins.epoch == 2
    assert {label for _, label in pins.pins} == {"prod", "canary"}


async def test_a_pin_set_by_hand_at_the_last_moment_is_still_below_the_swap(server, store, connect):
    one, two = await registered(store, "a", "b")
    by_hand = f"9|{one.id}|{one.digest}|by-hand"

    async def set_pin():
        server.run("SET", KEYS.pin((MODEL, "prod")), by_hand)

    async with relayed(server.port) as relay:
        relay.before = (b"EVAL", set_pin)

        swapped = await connect(relay.url).swap(order(change(two)))

    assert (swapped.epoch, swapped.moved[0].previous) == (10, one.id)


async def test_a_refused_connection_changed_nothing(server, connect):
    server.stop()
    store = connect(server.url)
    started = time.monotonic()

    with pytest.raises(StoreUnavailable):
        await store.register(new("a"), operation())
    with pytest.raises(StoreUnavailable):
        await store.pins()

    assert time.monotonic() - started < 1


async def test_a_frozen_server_is_given_up_at_the_deadline(server, connect):
    store = connect(server.url, deadline_s=0.3)
    server.freeze()
    started = time.monotonic()

    with pytest.raises(StoreUnavailable):
        await store.pins()

    assert time.monotonic() - started < 1


async def test_a_frozen_server_that_was_not_asked_yet_knows_nothing(server, connect):
    """The deadline ends while the connection is made: the write was never sent."""
    store = connect(server.url, deadline_s=0.3)
    server.freeze()

    with pytest.raises(StoreUnavailable):
        await store.register(new("a"), operation())


async def test_a_restarted_server_is_found_again_at_once(server, store):
    await registered(store, "a")
    server.stop()
    server.start()

    done = await store.register(new("b"), operation())

    assert done.info.number == 1  # it kept nothing


async def test_a_connection_that_the_server_closed_is_not_used_for_reading(server, store):
    await registered(store, "a")
    server.run("CLIENT", "KILL", "TYPE", "normal")
    await asyncio.sleep(0.05)

    assert await store.models() == [MODEL]


@pytest.mark.parametrize("cut_at", range(1, 60, 7))
async def test_an_answer_that_ends_half_way_is_no_answer(server, store, connect, cut_at):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    async with relayed(server.port) as relay:
        broken = connect(relay.url)
        await broken.models()
        relay.answered_bytes, relay.cut_answers_at = 0, cut_at
        with pytest.raises(StoreUnavailable):
            await broken.pins()


async def test_garbage_is_no_answer(connect):
    async def answer(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with listening(answer) as port:
        with pytest.raises(StoreUnavailable):
            await connect(f"redis://127.0.0.1:{port}").pins()


async def test_more_calls_than_connections_wait_for_their_turn(store, server):
    await settled(store.register(new(f"{n}"), operation()) for n in range(60))

    assert len(await store.versions(MODEL)) == 60
    assert int(server.run("INFO", "clients")["connected_clients"]) <= 5


async def test_a_closed_store_leaves_no_connection(server, connect):
    store = connect(server.url)
    await settled(store.models() for _ in range(10))

    await store.close()

    await eventually(lambda: server.run("INFO", "clients")["connected_clients"] == 1)


async def test_a_store_that_is_closed_during_a_command_leaves_no_connection(server, connect):
    async with relayed(server.port) as relay:
        store = connect(relay.url)
        await store.models()
        relay.passes.clear()
        asking = asyncio.create_task(store.models())
        await asyncio.sleep(0)  # it has a connection now

        await store.close()
        relay.passes.set()

        assert await asking == []
        await eventually(lambda: server.run("INFO", "clients")["connected_clients"] == 1)


async def test_a_refusal_costs_no_connection(server, store):
    await registered(store, "a")
    server.run("CONFIG", "SET", "maxmemory", "1")
    before = server.run("INFO", "stats")["total_connections_received"]
    for n in range(10):
        await refused([lambda n=n: store.register(new(f"{n}"), operation())], StoreUnavailable)

    assert server.run("INFO", "stats")["total_connections_received"] - before < 3


async def test_a_conflict_costs_no_connection(server, store):
    (info,) = await registered(store, "a")
    for _ in range(10):
        await refused([lambda: store.swap(order(change(info, expect=Expect("x"))))], Conflict)

    assert server.run("INFO", "stats")["total_connections_received"] < 8


async def test_a_connection_error_of_the_kernel_is_not_silence(server):
    wires = []
    plain = source(server.url)

    async def make():
        wires.append(await plain.make())
        return wires[-1]

    store = RedisStore(Source(make, "here"), deadline_s=5.0)
    await store.models()
    server.freeze()
    call = asyncio.ensure_future(store.models())
    await asyncio.sleep(0.05)
    wires[0]._transport._force_close(OSError(errno.ETIMEDOUT, "timed out"))

    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(call, 1)
    await store.close()

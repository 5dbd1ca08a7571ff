"""Sentinels that are dead, frozen, behind or wrong, and who is found in spite of them."""

import time
from contextlib import AsyncExitStack

import pytest

from proxy.errors import StoreUnavailable
from tests.contracts.places import MODEL, new, operation, registered
from tests.redis_server import free_port
from tests.store.scripted import mapping, scripted
from tests.store.story import until

SERVICE = "main"


def claim(port, epoch=1, **changed):
    """Return how a sentinel describes a primary."""
    fields = {"name": SERVICE, "ip": "127.0.0.1", "port": port, "flags": "master"}
    return mapping(**{**fields, "config_epoch": epoch, **changed})


def url_of(*sentinels):
    hosts = ",".join(f"127.0.0.1:{one if isinstance(one, int) else one.port}" for one in sentinels)
    return f"redis+sentinel://{hosts}/{SERVICE}"


@pytest.fixture
async def says():
    """Return a function that starts something that answers like a sentinel; None: not at all."""
    async with AsyncExitStack() as stack:

        async def start(answer):
            answers = None if answer is None else {b"SENTINEL": answer}
            return await stack.enter_async_context(scripted(answers))

        yield start


async def why(store):
    with pytest.raises(StoreUnavailable) as caught:
        await store.pins()
    return caught.value.message


# --- real sentinels


async def test_a_store_behind_a_sentinel_is_written_and_followed(watch_over, connect):
    watched = watch_over()
    store = connect(watched.url)
    pins = store.watch(())
    await anext(pins)

    await registered(store, "a")

    assert watched.primary.run("DBSIZE") > 0
    assert (await store.ping()).endswith(f" at {watched.url}")
    await pins.aclose()


async def test_a_service_that_the_sentinel_does_not_know(watch_over, connect):
    store = connect(watch_over().url.replace(f"/{SERVICE}", "/other"))

    assert await why(store) == "the store's sentinels know no service of this name"


# --- some of them


async def test_dead_sentinels_are_passed_over(server, says, connect):
    alive = await says(claim(server.port))
    store = connect(url_of(free_port(), free_port(), alive))

    assert (await store.register(new("a"), operation())).created


@pytest.mark.parametrize(("frozen", "most_s"), [(1, 0.4), (3, 1.5)])
async def test_frozen_sentinels_are_passed_over(server, says, connect, frozen, most_s):
    ports = [await says(None) for _ in range(frozen)]
    alive = await says(claim(server.port))
    store = connect(url_of(*ports, alive))
    started = time.monotonic()

    assert (await store.register(new("a"), operation())).created
    assert time.monotonic() - started < most_s


async def test_where_no_sentinel_is_there_that_is_said(connect):
    store = connect(url_of(free_port(), free_port()))

    assert await why(store) == "none of the store's sentinels answered"


async def test_where_all_are_frozen_it_is_said_within_the_deadline(says, connect):
    store = connect(url_of(await says(None), await says(None)))
    started = time.monotonic()

    assert await why(store) == "none of the store's sentinels answered"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "nonsense",
    [b"+OK\r\n", b"%0\r\n", b":7\r\n", b"HTTP/1.1 400\r\n", claim("x"), claim(1, flags="\xff")],
)
async def test_a_sentinel_that_talks_nonsense_is_passed_over(server, says, connect, nonsense):
    broken, sound = await says(nonsense), await says(claim(server.port, epoch=2))

    assert await connect(url_of(broken, sound)).models() == []


# --- sentinels that do not agree


async def test_the_newest_configuration_counts(server, says, connect):
    """Two were away while the third one saw a failover."""
    old = [await says(claim(free_port(), epoch=1)) for _ in range(2)]
    current = await says(claim(server.port, epoch=2))

    assert await connect(url_of(*old, current)).models() == []


async def test_a_primary_that_they_agree_is_down_is_not_waited_for(says, connect):
    store = connect(url_of(await says(claim(free_port(), flags="master,s_down,o_down"))))

    assert await why(store) == "the store's primary is down"


async def test_a_replica_that_is_named_is_not_believed_to_be_the_primary(server, says, connect):
    server.run("REPLICAOF", "127.0.0.1", "1")
    store = connect(url_of(await says(claim(server.port))))

    with pytest.raises(StoreUnavailable, match="read-only replica"):
        await anext(store.watch(()))


# --- a primary that changes


async def test_a_write_that_a_former_primary_refuses_goes_to_the_next_one(
    start_redis, says, connect
):
    former, next_one = start_redis(), start_redis()
    sentinel = await says(claim(former.port))
    store = connect(url_of(sentinel))
    await store.register(new("a"), operation())
    former.run("REPLICAOF", "127.0.0.1", "1")
    sentinel.answers = {b"SENTINEL": claim(next_one.port, epoch=2)}

    await store.register(new("b"), operation())

    assert len(await connect(next_one.url).versions(MODEL)) == 1


async def test_a_write_that_is_refused_twice_is_refused(server, says, connect):
    store = connect(url_of(await says(claim(server.port))))
    await store.register(new("a"), operation())
    server.run("REPLICAOF", "127.0.0.1", "1")

    with pytest.raises(StoreUnavailable, match="read-only replica"):
        await store.register(new("b"), operation())


async def test_a_follower_that_lost_the_primary_finds_the_next_one(start_redis, says, connect):
    former, next_one = start_redis(), start_redis()
    sentinel = await says(claim(former.port))
    store = connect(url_of(sentinel))
    pins = store.watch(())
    await anext(pins)
    former.stop()
    sentinel.answers = {b"SENTINEL": claim(next_one.port, epoch=2)}
    with pytest.raises(StoreUnavailable):
        await until(pins, lambda seen: False)

    again = store.watch(())

    assert (await anext(again)).epoch == 0
    await again.aclose()


# --- nodes of a cluster


@pytest.fixture
async def node():
    """Return a function that starts something that answers like a node of a cluster."""
    async with AsyncExitStack() as stack:

        async def start(slots):
            return await stack.enter_async_context(scripted({b"CLUSTER": slots}))

        yield start


def slots(first, last, endpoint, port):
    """Return how a node describes who serves a range of slots."""
    return b"*1\r\n*3\r\n:%d\r\n:%d\r\n*2\r\n%b:%d\r\n" % (first, last, endpoint, port)


def cluster_of(*nodes):
    return f"redis+cluster://{','.join(f'127.0.0.1:{one.port}' for one in nodes)}"


@pytest.mark.parametrize(
    "endpoint", [b"$9\r\n127.0.0.1\r\n", b"$0\r\n\r\n", b"$1\r\n?\r\n", b"_\r\n"]
)
async def test_a_node_whose_address_is_not_known_is_where_it_was_asked(
    server, node, connect, endpoint
):
    asked = await node(slots(0, 16383, endpoint, server.port))

    assert await connect(cluster_of(asked)).models() == []


async def test_what_most_nodes_say_counts(server, node, connect):
    said = [slots(0, 16383, b"_\r\n", port) for port in (free_port(), server.port, server.port)]

    assert await connect(cluster_of(*[await node(one) for one in said])).models() == []


async def test_a_slot_that_nobody_serves_is_said(server, node, connect):
    other = await node(slots(0, 1, b"_\r\n", server.port))

    message = await why(connect(cluster_of(other)))

    assert message == "no node of the store's cluster serves its slot"


async def test_where_no_node_is_there_that_is_said(connect):
    message = await why(connect(f"redis+cluster://127.0.0.1:{free_port()}"))

    assert message == "none of the nodes of the store's cluster answered"


async def test_a_server_that_is_no_cluster_is_said(server, connect):
    message = await why(connect(f"redis+cluster://127.0.0.1:{server.port}"))

    assert message == "the store's server is no node of a cluster"

"""Servers that refuse to write, and what they are allowed to lack."""

import pytest

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store.redis_keys import Keys
from proxy.versions.record import Member, Pin, Question
from tests.contracts.places import (
    MODEL,
    change,
    new,
    operation,
    order,
    registered,
    restorable,
)
from tests.redis_server import free_port
from tests.store.story import eventually, refused, writes


@pytest.fixture
def store(redis_store):
    return redis_store


async def test_a_replica_takes_no_writes(server, connect):
    server.run("REPLICAOF", "127.0.0.1", "1")

    told = await refused(writes(connect(server.url)), StoreUnavailable)

    assert all("read-only replica" in error.message for error in told)


async def test_a_primary_that_became_a_replica_takes_no_writes(server, store):
    await registered(store, "a")
    server.run("REPLICAOF", "127.0.0.1", "1")

    await refused(writes(store), StoreUnavailable)


async def test_a_replica_is_not_even_asked_what_it_knows(server, store, connect):
    """It may be behind: what it says was registered or pinned need not be so."""
    await registered(store, "a")
    server.run("REPLICAOF", "127.0.0.1", "1")

    await refused([lambda: connect(server.url).register(new("a"), operation())], StoreUnavailable)


async def test_a_connection_to_what_is_no_primary_any_more_is_given_up(server, store):
    await registered(store, "a")
    server.run("REPLICAOF", "127.0.0.1", "1")
    await refused(writes(store)[:1], StoreUnavailable)

    await eventually(lambda: server.run("INFO", "clients")["connected_clients"] == 1)


async def test_a_replica_is_read(server, store):
    (info,) = await registered(store, "a")
    server.run("REPLICAOF", "127.0.0.1", "1")

    assert await store.versions(MODEL) == [info]


async def test_a_replica_that_became_the_primary_takes_writes(server, store):
    await registered(store, "a")
    server.run("REPLICAOF", "127.0.0.1", "1")
    await refused(writes(store), StoreUnavailable)
    server.run("REPLICAOF", "NO", "ONE")

    assert (await store.register(new("b"), operation())).info.number == 2


async def test_a_server_without_memory_takes_no_writes(server, store):
    (info,) = await registered(store, "a")
    before = server.dump()
    server.run("CONFIG", "SET", "maxmemory", "1")

    told = await refused(
        [*writes(store), lambda: store.swap(order(change(info)))], StoreUnavailable
    )

    assert all("out of memory" in error.message for error in told)
    assert server.dump() == before


async def test_a_server_without_its_replicas_takes_no_writes(server, store):
    await registered(store, "a")
    server.run("CONFIG", "SET", "min-replicas-to-write", "1")

    told = await refused(writes(store), StoreUnavailable)

    assert all("too few replicas" in error.message for error in told)


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
async def test_a_server_that_evicts_versions_is_not_trusted_with_any(server, connect, policy):
    (info,) = await registered(connect(server.url), "a")
    server.run("CONFIG", "SET", "maxmemory-policy", policy)
    store = connect(server.url)
    before = server.dump()

    told = await refused([*writes(store), lambda: store.swap(order(change(info)))], StoreUnsafe)

    assert all("evict" in error.message for error in told)
    assert server.dump() == before


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl"])
async def test_other_eviction_policies_will_do(server, connect, policy):
    server.run("CONFIG", "SET", "maxmemory-policy", policy)

    assert (await connect(server.url).register(new("a"), operation())).created


async def test_a_server_that_may_not_be_asked_for_its_policy_will_do(server, connect):
    server.run("ACL", "SETUSER", "ctl", "on", ">secret", "~*", "&*", "+@all", "-info")
    store = connect(f"redis://ctl:secret@127.0.0.1:{server.port}")

    assert (await store.register(new("a"), operation())).created
    assert (await store.ping()).startswith("redis at ")


async def test_a_proxys_user_needs_no_right_to_change_anything(server, store, connect):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    rights = (
        "on >secret -@all +hello +auth +ping +get +mget +hget +smembers +subscribe +set +sadd +srem"
        " +del &{proxy}:changes %R~{proxy}:* %W~{proxy}:member:* %RW~{proxy}:members"
    )
    server.run("ACL", "SETUSER", "web", *rights.split())
    proxy = connect(f"redis://web:secret@127.0.0.1:{server.port}")

    await proxy.report(Member("web-1", 1, {}))
    assert await proxy.models() == [MODEL]
    assert (await proxy.version(MODEL, 1)).info == info
    pins = proxy.watch(())
    assert (await anext(pins)).epoch == 1
    await pins.aclose()
    await refused([lambda: proxy.swap(order(change(info, "x")))], StoreUnavailable)
    await proxy.leave("web-1")


async def test_a_lost_password_is_told_apart_from_a_lost_server(server, connect):
    server.run("CONFIG", "SET", "requirepass", "secret")

    with pytest.raises(StoreUnavailable, match="asks for a password"):
        await connect(server.url).pins()
    with pytest.raises(StoreUnavailable, match="refused the user or password"):
        await connect(f"redis://:wrong@127.0.0.1:{server.port}").pins()


async def test_a_server_without_free_connections_says_so(server, store, connect):
    await store.models()
    server.run("CONFIG", "SET", "maxclients", "1")

    with pytest.raises(StoreUnavailable, match="no connection left"):
        await connect(server.url).models()


async def test_forgotten_scripts_are_no_problem(server, store):
    await registered(store, "a")
    server.run("SCRIPT", "FLUSH")

    assert (await store.register(new("b"), operation())).info.number == 2


def cluster_mode():
    """The port of the cluster's bus is by default ten thousand higher: more than there may be."""
    return "--cluster-enabled", "yes", "--cluster-port", str(free_port())


async def test_all_keys_of_a_script_lie_in_one_slot_and_are_declared(start_redis, connect):
    """A cluster's node refuses a script that touches other slots than its keys'."""
    node = start_redis(*cluster_mode())
    node.run("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    store = connect(node.url)
    await eventually(lambda: "cluster_state:ok" in node.run("CLUSTER", "INFO").decode())

    versions = await registered(store, "a", "b")
    (other,) = await registered(store, "a", model="ranker")
    await store.swap(order(change(versions[0]), change(other)))
    await store.swap(order(change(versions[1], revoke=True)))
    await store.freeze(MODEL, True, by="ada", reason="", operation=operation())
    await store.restore(restorable("lost", 7), by="ada", operation=operation())
    node.run("SET", Keys().pin((MODEL, "x")), f"9|{versions[0].id}|{versions[0].digest}|by-hand")
    by_hand = Pin(MODEL, "x", 9, versions[0].id, versions[0].digest, "by-hand")
    await store.record(by_hand, by="ada", operation=operation())
    await store.ask(Question("q-1", "prepare", {}))
    await store.answer("q-1", "web-1", b"yes")
    await store.report(Member("web-1", 9, {}))

    assert (await store.pins()).epoch == 9
    assert await store.answers("q-1") == {"web-1": b"yes"}
    assert len(await store.members()) == 1


async def test_one_node_of_a_cluster_is_told_apart(start_redis, connect):
    node = start_redis(*cluster_mode())
    node.run("CLUSTER", "ADDSLOTSRANGE", 0, 100)
    store = connect(node.url)

    told = await refused(writes(store), StoreUnavailable)

    assert all("cluster" in error.message for error in told)

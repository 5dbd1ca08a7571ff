"""What goes wrong between a store and its Redis, and what the caller is told."""

import asyncio
import errno
import time
import traceback

import pytest

from proxy.errors import (
    Conflict,
    OutcomeUnknown,
    StoreUnavailable,
    StoreUnsafe,
    VersionConflict,
)
from proxy.store.base import Expect, NewVersion
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_link import Source
from proxy.store.redis_url import source
from proxy.store.url import open_store
from proxy.versions.record import Member, Meta
from tests.contracts.places import MODEL, change, new, operation, order, registered, settled
from tests.redis_server import free_port
from tests.store.relay import relayed

KEYS = Keys()


@pytest.fixture
def server(start_redis):
    return start_redis()


@pytest.fixture
async def connect():
    """Return a function that opens a store by URL; all of them are closed in the end."""
    stores = []

    def opened(url, **options):
        stores.append(RedisStore(source(url), **options))
        return stores[-1]

    yield opened
    for store in stores:
        await store.close()


@pytest.fixture
def store(server, connect):
    return connect(server.url)


# --- answers that are lost ------------------------------------------------------------------


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


# --- what happens between two steps ---------------------------------------------------------


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


# --- servers that are not there -------------------------------------------------------------


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

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]

    with pytest.raises(StoreUnavailable):
        await connect(f"redis://127.0.0.1:{port}").pins()

    listener.close()
    await listener.wait_closed()


# --- servers that refuse --------------------------------------------------------------------


def writes(store):
    return [
        lambda: store.register(new("b"), operation()),
        lambda: store.freeze(MODEL, True, by="ada", reason="", operation=operation()),
    ]


async def refused(calls, error):
    told = await settled(call() for call in calls)
    assert [type(each) for each in told] == [error] * len(told)
    return told


async def test_a_replica_takes_no_writes(server, connect):
    server.run("REPLICAOF", "127.0.0.1", "1")

    told = await refused(writes(connect(server.url)), StoreUnavailable)

    assert all("read-only replica" in error.message for error in told)


async def test_a_primary_that_became_a_replica_takes_no_writes(server, store):
    await registered(store, "a")
    server.run("REPLICAOF", "127.0.0.1", "1")

    await refused(writes(store), StoreUnavailable)


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


async def until(right):
    async with asyncio.timeout(5):
        while not right():  # noqa: ASYNC110  # another process is waited for
            await asyncio.sleep(0.02)


async def test_all_keys_of_a_script_lie_in_one_slot_and_are_declared(start_redis, connect):
    """A cluster's node refuses a script that touches other slots than its keys'."""
    node = start_redis(*cluster_mode())
    node.run("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    store = connect(node.url)
    await until(lambda: "cluster_state:ok" in node.run("CLUSTER", "INFO").decode())

    versions = await registered(store, "a", "b")
    (other,) = await registered(store, "a", model="ranker")
    await store.swap(order(change(versions[0]), change(other)))
    await store.swap(order(change(versions[1], revoke=True)))
    await store.freeze(MODEL, True, by="ada", reason="", operation=operation())

    assert (await store.pins()).epoch == 2


async def test_one_node_of_a_cluster_is_told_apart(start_redis, connect):
    node = start_redis(*cluster_mode())
    node.run("CLUSTER", "ADDSLOTSRANGE", 0, 100)
    store = connect(node.url)

    told = await refused(writes(store), StoreUnavailable)

    assert all("cluster" in error.message for error in told)


# --- data that is not ours, or not whole ----------------------------------------------------


REGISTER_KINDS = ("seq", "versions", "meta", "digests", "short", "history")
FOREIGN_TO_REGISTER = [KEYS.of_model(kind, MODEL) for kind in REGISTER_KINDS]
PIN_KINDS = ("versions", "meta", "held", "revoked", "frozen", "history")
FOREIGN_TO_PIN = [KEYS.of_model(kind, MODEL) for kind in PIN_KINDS]


def make_foreign(server, key):
    server.run("DEL", key)
    server.run("ZADD", key, 1, "theirs")


@pytest.mark.parametrize("key", [*FOREIGN_TO_REGISTER, KEYS.models, KEYS.epoch])
async def test_registering_over_a_foreign_key_writes_nothing(server, store, key):
    await registered(store, "a")
    make_foreign(server, key)
    before = server.dump()

    await refused([lambda: store.register(new("b"), operation())], StoreUnsafe)

    assert server.dump() == before


@pytest.mark.parametrize("key", [*FOREIGN_TO_PIN, KEYS.pinned, KEYS.epoch, KEYS.pin((MODEL, "x"))])
async def test_pinning_over_a_foreign_key_writes_nothing(server, store, key):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    make_foreign(server, key)
    before = server.dump()

    await refused([lambda: store.swap(order(change(info, "x")))], StoreUnsafe)

    assert server.dump() == before


@pytest.mark.parametrize("kind", ["frozen", "history"])
async def test_freezing_over_a_foreign_key_writes_nothing(server, store, kind):
    make_foreign(server, KEYS.of_model(kind, MODEL))
    before = server.dump()

    await refused(writes(store)[1:], StoreUnsafe)

    assert server.dump() == before


@pytest.mark.parametrize("stored", ["nonsense", "[]", "{}", '"x"'])
async def test_a_foreign_operation_is_not_taken_for_a_result(server, store, stored):
    id = operation()
    server.run("SET", KEYS.operation(id), stored)

    (told,) = await settled([store.register(new("a"), id)])

    assert told.code in ("store_unsafe", "invalid_argument")


async def test_reading_foreign_keys_is_told(server, store):
    make_foreign(server, KEYS.pinned)
    make_foreign(server, KEYS.of_model("meta", MODEL))

    await refused([store.pins, lambda: store.versions(MODEL)], StoreUnsafe)


async def test_unreadable_metadata_is_told(server, store):
    await registered(store, "a")
    server.run("HSET", KEYS.of_model("meta", MODEL), "1", "{")

    await refused([lambda: store.versions(MODEL)], StoreUnsafe)


async def test_a_number_is_not_used_again_when_the_counter_is_lost(server, store):
    await registered(store, "a", "b")
    server.run("DEL", KEYS.of_model("seq", MODEL))

    (info,) = await registered(store, "c")

    assert info.number == 3


@pytest.mark.parametrize("kind", ["versions", "meta"])
async def test_a_number_is_not_used_again_when_half_of_a_version_is_lost(server, store, kind):
    await registered(store, "a", "b")
    server.run("SET", KEYS.of_model("seq", MODEL), "1")
    server.run("HDEL", KEYS.of_model(kind, MODEL), "2")

    (info,) = await registered(store, "c")

    assert info.number == 3


@pytest.mark.parametrize("kind", ["versions", "meta"])
async def test_a_version_that_lost_a_half_is_neither_found_nor_pinned(server, store, kind):
    (info,) = await registered(store, "a")
    server.run("HDEL", KEYS.of_model(kind, MODEL), "1")

    told = await settled([store.swap(order(change(info))), store.register(new("a"), operation())])

    assert await store.version(MODEL, 1) is None
    assert [error.code for error in told] in (
        ["store_unsafe", "store_unsafe"],
        ["unknown_version", "store_unsafe"],
    )
    assert (await store.pins()).pins == {}


async def test_tampered_bytes_are_a_conflict_when_registered_again(server, store):
    await registered(store, "a")
    server.run("HSET", KEYS.of_model("versions", MODEL), "1", "other")

    await refused([lambda: store.register(new("a"), operation())], VersionConflict)


async def test_an_epoch_that_was_lost_does_not_go_back(server, store):
    versions = await registered(store, "a", "b")
    for info in [*versions, *versions]:
        await store.swap(order(change(info)))
    server.run("DEL", KEYS.epoch)

    swapped = await store.swap(order(change(versions[0], "x")))

    assert swapped.epoch == 5


@pytest.mark.parametrize("stored", ["", "nonsense", "-1", "1e3", "12345678901234567"])
async def test_an_epoch_that_was_overwritten_does_not_go_back(server, store, stored):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    server.run("SET", KEYS.epoch, stored)

    assert (await store.pins()).epoch == 1
    assert (await store.swap(order(change(info, "x")))).epoch == 2


async def test_a_pin_that_was_deleted_is_broken(server, store):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    server.run("DEL", KEYS.pin((MODEL, "prod")))

    pins = await store.pins()

    assert (pins.pins, pins.broken) == ({}, {(MODEL, "prod")})


async def test_an_event_of_a_kind_that_is_not_known_is_passed_over(server, store):
    await registered(store, "a")
    stream = KEYS.of_model("history", MODEL)
    server.run("XADD", stream, "*", "kind", "novelty", "epoch", "1", "at_ms", "1")
    server.run("XADD", stream, "*", "theirs", "1")

    assert len(await store.history(MODEL)) == 1


async def test_namespaces_keep_stores_apart(server, connect):
    await registered(connect(server.url, namespace="one"), "a")

    assert await connect(server.url, namespace="two").models() == []


async def test_names_of_lapsed_leases_do_not_pile_up(server, connect):
    store = connect(server.url, lease_s=0.05)
    for number in range(70):
        await store.report(Member(f"gone-{number}", 0, {}))
    await asyncio.sleep(0.1)
    await store.report(Member("here", 0, {}))

    await store.members()

    assert server.run("SMEMBERS", KEYS.members) == {b"here"}


async def test_a_few_lapsed_names_stay_for_those_who_look(server, connect):
    store = connect(server.url, lease_s=0.05)
    await store.report(Member("gone", 0, {}))
    await asyncio.sleep(0.1)

    assert await store.members() == []
    assert server.run("SMEMBERS", KEYS.members) == {b"gone"}


async def test_a_result_is_kept_for_a_week(server, store):
    id = operation()
    await store.register(new("a"), id)

    left_s = server.run("TTL", KEYS.operation(id))

    assert 6.9 * 86400 < left_s <= 7 * 86400


async def test_nothing_that_must_last_expires(server, store):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info, revoke=True)))
    await store.freeze(MODEL, True, by="ada", reason="", operation=operation())

    kept = [key for key in server.run("KEYS", "*") if b":op:" not in key]

    assert {server.run("TTL", key) for key in kept} == {-1}


# --- credentials ----------------------------------------------------------------------------

CANARY = "s3cret-c4nary"


def everything_said(store, error):
    return repr(store) + "".join(traceback.format_exception(error)) + repr(error.__context__)


async def test_a_refused_password_is_never_shown(server, connect):
    server.run("CONFIG", "SET", "requirepass", "right")
    store = connect(f"redis://user:{CANARY}@127.0.0.1:{server.port}")

    (error,) = await settled([store.pins()])

    assert CANARY not in everything_said(store, error)


async def test_a_password_that_the_server_echoes_is_never_shown(connect):
    """Servers before 6.0 know no HELLO, and quote the whole command that they do not know."""

    async def answer(reader, writer):
        asked = await reader.read(1000)
        assert CANARY.encode() in asked
        writer.write(b"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `")
        writer.write(CANARY.encode() + b"`, \r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    store = connect(f"redis://user:{CANARY}@127.0.0.1:{port}")
    watched = store.watch(())

    errors = await settled([store.pins(), anext(watched), store.register(new("a"), operation())])

    listener.close()
    for error in errors:
        assert CANARY not in repr(store) + "".join(traceback.format_exception(error))


async def test_a_store_describes_itself_without_credentials(server, connect):
    server.run("CONFIG", "SET", "requirepass", CANARY)
    store = connect(f"redis://:{CANARY}@127.0.0.1:{server.port}/0")

    line = await store.ping()

    assert line == f"redis {server_version(server)} at redis://127.0.0.1:{server.port}/0"
    assert CANARY not in repr(store)


def server_version(server):
    import redis

    with redis.Redis(port=server.port, password=CANARY) as client:
        return client.info("server")["redis_version"]


# --- many at once ---------------------------------------------------------------------------


async def test_more_calls_than_connections_wait_for_their_turn(store, server):
    await settled(store.register(new(f"{n}"), operation()) for n in range(60))

    assert len(await store.versions(MODEL)) == 60
    assert int(server.run("INFO", "clients")["connected_clients"]) <= 5


async def test_a_closed_store_leaves_no_connection(server, connect):
    store = connect(server.url)
    await settled(store.models() for _ in range(10))

    await store.close()

    await until(lambda: server.run("INFO", "clients")["connected_clients"] == 1)


async def test_a_conflict_costs_no_connection(server, store):
    (info,) = await registered(store, "a")
    for _ in range(10):
        await refused([lambda: store.swap(order(change(info, expect=Expect("x"))))], Conflict)

    assert server.run("INFO", "stats")["total_connections_received"] < 8


async def test_a_connection_error_of_the_kernel_is_not_silence(server):
    """A read with redis-py's own timeout would take ETIMEDOUT for "nothing came"."""
    wires = []
    plain = source(server.url)

    def make():
        wires.append(plain.make())
        return wires[-1]

    store = RedisStore(Source(make, "here"), deadline_s=5.0)
    await store.models()
    server.freeze()
    call = asyncio.ensure_future(store.models())
    await asyncio.sleep(0.05)
    wires[0]._writer.transport._force_close(OSError(errno.ETIMEDOUT, "timed out"))

    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(call, 1)
    await store.close()


async def test_no_registered_version_of_another_is_overwritten(store):
    asked = new("a")
    await store.register(asked, operation())

    await refused(
        [lambda: store.register(NewVersion(MODEL, b"x", asked.digest, Meta("eve")), operation())],
        VersionConflict,
    )


async def test_opening_by_url_connects_to_nothing():
    store = open_store("redis://:secret@127.0.0.1:1/0")

    assert repr(store) == "RedisStore('redis://127.0.0.1:1/0')"
    await store.close()

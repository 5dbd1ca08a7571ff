"""Data in Redis that is not ours, or not whole."""

import pytest

from proxy.errors import StoreUnsafe, VersionConflict
from proxy.store.redis_keys import Keys
from tests.contracts.places import MODEL, change, new, operation, order, registered, settled
from tests.store.story import refused, writes

KEYS = Keys()


@pytest.fixture
def store(redis_store):
    return redis_store


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

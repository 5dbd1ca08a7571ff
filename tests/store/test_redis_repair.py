"""Repairing what is lost in Redis: parts of a version, and what stands in the way."""

from contextlib import aclosing

import pytest

from proxy.errors import OutcomeUnknown, StoreUnavailable, StoreUnsafe, VersionConflict
from proxy.store.records import OPERATION_TTL_S
from proxy.store.redis_keys import Keys
from proxy.versions.record import Kind, Pin, Registered
from tests.contracts.places import (
    MODEL,
    PROD,
    change,
    new,
    operation,
    order,
    registered,
    restorable,
)
from tests.store.relay import relayed
from tests.store.story import refused, until

KEYS = Keys()
RESTORE_KINDS = ("seq", "versions", "meta", "digests", "short", "history")
FOREIGN_TO_RESTORE = [KEYS.of_model(kind, MODEL) for kind in RESTORE_KINDS]
RECORD_KINDS = ("versions", "meta", "held", "history")
FOREIGN_TO_RECORD = [KEYS.of_model(kind, MODEL) for kind in RECORD_KINDS]


@pytest.fixture
def store(redis_store):
    return redis_store


@pytest.fixture
async def version(store):
    """The first of two versions that are registered."""
    await registered(store, "a", "b")
    return await store.version(MODEL, 1)


def restore(store, version, id=""):
    return store.restore(version, by="ada", operation=id or operation())


def lose(server, version, *kinds):
    """Delete those parts of a version."""
    digest = version.info.digest
    fields = {"versions": "1", "meta": "1", "digests": digest, "short": digest[7:13]}
    for kind in kinds:
        server.run("HDEL", KEYS.of_model(kind, MODEL), fields[kind])


def put(server, info, epoch=9):
    server.run("SET", KEYS.pin(PROD), f"{epoch}|{info.id}|{info.digest}|by-hand")
    return Pin(MODEL, "prod", epoch, info.id, info.digest, "by-hand")


@pytest.mark.parametrize(
    "kinds",
    [
        ("versions",),
        ("meta",),
        ("digests",),
        ("versions", "meta"),
        ("versions", "digests"),
        ("meta", "digests"),
        ("versions", "meta", "digests", "short"),
    ],
    ids="-".join,
)
async def test_what_is_missing_of_a_version_is_written(server, store, version, kinds):
    lose(server, version, *kinds)

    done = await restore(store, version)

    assert done == Registered(version.info, created=True)
    assert await store.version(MODEL, 1) == version
    assert (await store.history(MODEL))[0].kind is Kind.RESTORE
    assert await store.register(new("a"), operation()) == Registered(version.info, created=False)


async def test_a_model_that_is_not_listed_is_listed_again(server, store, version):
    server.run("SREM", KEYS.models, MODEL)

    assert (await restore(store, version)).created
    assert await store.models() == [MODEL]


async def test_a_repaired_version_is_as_it_was_registered(server, store, version):
    hashes = [KEYS.of_model(kind, MODEL) for kind in ("versions", "meta", "digests", "short")]
    before = [server.run("HGETALL", key) for key in hashes]
    lose(server, version, "versions", "digests", "short")

    await restore(store, version)

    assert [server.run("HGETALL", key) for key in hashes] == before


@pytest.mark.parametrize("stored", [None, "1", "nonsense", "", "-7"])
async def test_the_counter_is_at_least_the_restored_number(server, store, stored):
    seq = KEYS.of_model("seq", MODEL)
    if stored is not None:
        server.run("SET", seq, stored)

    await restore(store, restorable("lost", 7))

    assert server.run("GET", seq) == b"7"


async def test_the_counter_does_not_go_back(server, store):
    server.run("SET", KEYS.of_model("seq", MODEL), "12")

    await restore(store, restorable("lost", 7))

    (info,) = await registered(store, "next")
    assert info.number == 13


async def test_bytes_without_a_record_may_be_another_versions(server, store, version):
    server.run("HSET", KEYS.of_model("versions", MODEL), "1", "other")
    lose(server, version, "meta", "digests", "short")
    before = server.dump()

    await refused([lambda: restore(store, version)], VersionConflict)

    assert server.dump() == before


async def test_bytes_that_were_tampered_with_are_replaced(server, store, version):
    server.run("HSET", KEYS.of_model("versions", MODEL), "1", "other")

    done = await restore(store, version)

    assert done.created
    assert await store.version(MODEL, 1) == version


@pytest.mark.parametrize("meta", ["nonsense", "{}", "[]", "7", '{"id":"x","digest":"y"}'])
async def test_a_record_that_says_something_else_is_a_conflict(server, store, version, meta):
    server.run("HSET", KEYS.of_model("meta", MODEL), "1", meta)
    before = server.dump()

    await refused([lambda: restore(store, version)], VersionConflict)

    assert server.dump() == before


@pytest.mark.parametrize("left", ["versions", "digests"])
async def test_a_number_of_which_a_part_is_left_is_not_given_to_another(
    server, store, version, left
):
    lose(server, version, *{"versions", "meta", "digests", "short"} - {left})
    before = server.dump()

    await refused([lambda: restore(store, restorable("other", 1))], VersionConflict)

    assert server.dump() == before


async def test_a_digest_of_which_only_the_record_is_left_gets_no_second_number(
    server, store, version
):
    lose(server, version, "versions", "digests", "short")
    before = server.dump()

    await refused([lambda: restore(store, restorable("a", 5))], VersionConflict)

    assert server.dump() == before


async def test_a_message_that_quotes_a_digest_is_not_taken_for_its_version(server, store, version):
    lost = restorable("lost", 5)
    await store.register(new("c", message=f"like {lost.info.digest}"), operation())
    lose(server, version, "digests")  # so that all records are looked through

    assert (await restore(store, lost)).created


@pytest.mark.parametrize("key", [*FOREIGN_TO_RESTORE, KEYS.models, KEYS.epoch])
async def test_restoring_over_a_foreign_key_writes_nothing(server, store, key):
    server.run("ZADD", key, 1, "theirs")
    before = server.dump()

    await refused([lambda: restore(store, restorable("lost", 3))], StoreUnsafe)

    assert server.dump() == before


@pytest.mark.parametrize("key", [*FOREIGN_TO_RECORD, KEYS.epoch, KEYS.pinned, KEYS.pin(PROD)])
async def test_recording_over_a_foreign_key_writes_nothing(server, store, version, key):
    mine = put(server, version.info)
    server.run("DEL", key)
    server.run("ZADD", key, 1, "theirs")
    before = server.dump()

    await refused([lambda: store.record(mine, by="ada", operation=operation())], StoreUnsafe)

    assert server.dump() == before


async def test_a_version_that_lost_its_bytes_is_not_recorded(server, store, version):
    mine = put(server, version.info)
    lose(server, version, "versions")

    await refused([lambda: store.record(mine, by="ada", operation=operation())], StoreUnsafe)

    assert len(await store.history(MODEL)) == 2


async def test_a_recorded_label_is_known_to_those_who_watch(server, store, version):
    """The epoch may be above the pin's, so no poll would look for a label that is new."""
    await store.swap(order(change(version.info, "staging"), floor=20))
    async with aclosing(store.watch(())) as watching:
        await anext(watching)
        mine = put(server, version.info)
        await store.record(mine, by="ada", operation=operation())

        pins = await until(watching, lambda seen: PROD in seen.pins)

    assert (pins.pins[PROD], pins.epoch) == (mine, 21)


@pytest.mark.parametrize("verb", ["restore", "record"])
async def test_a_lost_answer_is_an_unknown_outcome_and_is_found_again(
    server, store, connect, version, verb
):
    lost, mine, id = restorable("lost", 3), put(server, version.info), operation()

    def repaired(through):
        if verb == "restore":
            return restore(through, lost, id)
        return through.record(mine, by="ada", operation=id)

    async with relayed(server.port) as relay:
        relay.lose_answer_to = b"EVAL"
        with pytest.raises(OutcomeUnknown):
            await repaired(connect(relay.url))
    again = await repaired(store)

    assert again in (Registered(lost.info, created=True), (await store.history(MODEL))[0])
    assert len(await store.history(MODEL)) == 3
    assert 0 < server.run("TTL", KEYS.operation(id)) <= OPERATION_TTL_S


async def test_a_replica_is_not_repaired(server, store, version):
    mine = put(server, version.info)
    server.run("REPLICAOF", "127.0.0.1", "1")

    await refused(
        [
            lambda: restore(store, restorable("lost", 3)),
            lambda: store.record(mine, by="ada", operation=operation()),
        ],
        StoreUnavailable,
    )

"""Versions that apps ask for by number."""

import pytest

from proxy.errors import StoreUnavailable, UnknownVersionAsked, VersionCorrupt
from proxy.fleet.held import Held
from proxy.fleet.snapshot import Pinned, Snapshot, make_ready
from proxy.routing.address import parse_address
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_url import source
from proxy.store.sqlite import SqliteStore
from proxy.versions.record import Pin
from tests.contracts.places import MODEL
from tests.fleet.following import KEY, registered

EMPTY = Snapshot.of(1, {})


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore(tmp_path / "store.db")
    yield opened
    await opened.close()


@pytest.fixture
async def infos(store):
    return await registered(store, "Jackets.", "Hats.", "Scarves.")


@pytest.fixture
def held(store):
    return Held(store, 2)


def asked(reference):
    return parse_address(f"{MODEL}@{reference}")


async def test_a_version_is_fetched_by_number_by_digits_and_by_id(held, infos):
    short = infos[1].id.removeprefix(f"{MODEL}-")

    for address in (asked("v2"), asked(short), parse_address(infos[1].id)):
        assert (await held.fetch(address)).id == infos[1].id


async def test_digits_that_are_not_those_of_the_number_name_nothing(held, infos):
    with pytest.raises(UnknownVersionAsked):
        await held.fetch(asked("v2-000000"))

    await held.fetch(asked("v2"))
    with pytest.raises(UnknownVersionAsked):
        held.find(asked("v2-000000"), EMPTY)


async def test_a_number_that_was_never_given_names_nothing(held, infos):
    with pytest.raises(UnknownVersionAsked):
        await held.fetch(asked("v9"))


async def test_what_was_fetched_is_held(held, infos):
    fetched = await held.fetch(asked("v2"))

    assert held.find(asked("v2"), EMPTY) is fetched
    assert held.find(asked("v1"), EMPTY) is None


async def test_what_was_not_used_for_longest_makes_room(held, infos):
    for number in (1, 2):
        await held.fetch(asked(f"v{number}"))
    held.find(asked("v1"), EMPTY)

    await held.fetch(asked("v3"))

    held = [held.find(asked(f"v{number}"), EMPTY) is not None for number in (1, 2, 3)]
    assert held == [True, False, True]


async def test_fetching_again_needs_no_more_room(held, infos):
    await held.fetch(asked("v1"))
    for _ in range(5):
        await held.fetch(asked("v2"))

    assert held.find(asked("v1"), EMPTY) is not None


async def test_what_a_label_points_to_needs_no_fetching(held, store, infos):
    served = make_ready(await store.version(MODEL, 2))
    pin = Pin(*KEY, 1, infos[1].id, infos[1].digest, "op")

    assert held.find(asked("v2"), Snapshot.of(1, {KEY: Pinned(pin, served)})) is served


@pytest.mark.parametrize("command", ["HSET {key} 1 {{}}", "SET {key} x"])
async def test_a_version_that_was_damaged_in_the_store_is_never_served(server, command):
    store = RedisStore(source(server.url))
    await registered(store, "Jackets.")
    key = Keys().of_model("versions", MODEL)
    if command.startswith("SET"):
        server.run("DEL", key)
    server.run(*command.format(key=key).split())

    with pytest.raises(VersionCorrupt):
        await Held(store, 2).fetch(asked("v1"))
    await store.close()


async def test_a_store_that_is_away_is_said():
    store = RedisStore(source("redis://127.0.0.1:1"))

    with pytest.raises(StoreUnavailable):
        await Held(store, 2).fetch(asked("v1"))
    await store.close()

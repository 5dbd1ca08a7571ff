"""A store that is away, comes back, or comes back with less: what was served is served on."""

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager

import pytest
import redis

from proxy.errors import UnknownModel
from proxy.fleet import follow
from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from proxy.store.sqlite import SqliteStore
from tests.contracts.places import MODEL, pin
from tests.fleet.following import following, registered

# What a start may take whatever the store does, and room for a busy machine.
STARTED_S = follow.FIRST_ATTEMPT_S + 0.5

# A store that fell silent is noticed after five polls of at most 0.3 s.
NOTICED_S = 2.5


@asynccontextmanager
async def store_at(url):
    store = RedisStore(source(url))
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def story(server, tmp_path):
    """Return a server that outlives a restart, two versions of which the first is pinned, and the
    directory in which a proxy that served it kept that."""
    server.options = ("--appendonly", "yes", "--appendfsync", "always")
    server.stop()
    restart(server)
    async with store_at(server.url) as store:
        infos = await registered(store, "Recommend jackets.", "Recommend hats.")
        await pin(store, infos[1])
        await pin(store, infos[0])
        async with following(store, tmp_path / "kept") as proxy:
            await proxy.until_serving(infos[0])
    return server, infos, tmp_path / "kept"


def restart(server):
    """Start the server, and wait until it has read what it kept."""
    server.start()
    for _ in range(1000):
        with contextlib.suppress(redis.exceptions.BusyLoadingError):
            return server.run("PING")
    raise AssertionError("it takes too long to load next to nothing")


# --- at the start


async def test_without_a_store_and_without_a_file_there_is_no_snapshot(tmp_path):
    async with store_at("redis://127.0.0.1:1") as store, following(store, tmp_path) as proxy:
        assert not proxy.follower.snapshot.loaded
        (line,) = await proxy.lines("store.lost")
        assert line["serving"] == "none"


async def test_it_starts_at_once_where_the_store_refuses_connections(tmp_path):
    async with store_at("redis://127.0.0.1:1") as store:
        began = time.perf_counter()
        async with following(store, tmp_path):
            assert time.perf_counter() - began < STARTED_S / 2


async def test_it_starts_with_the_last_known_good_where_the_store_is_away(story):
    server, infos, kept = story
    server.stop()

    async with store_at(server.url) as store, following(store, kept) as proxy:
        assert proxy.serving() == infos[0].id
        assert proxy.follower.state.source == "disk"
        (line,) = await proxy.lines("snapshot.loaded")
        assert line["versions"] == {f"{MODEL}@prod": infos[0].id}


async def test_it_starts_with_it_within_a_second_where_the_store_says_nothing(story):
    server, infos, kept = story
    server.freeze()

    async with store_at(server.url) as store:
        began = time.perf_counter()
        async with following(store, kept) as proxy:
            assert time.perf_counter() - began < STARTED_S
            assert proxy.serving() == infos[0].id


async def test_a_store_that_comes_later_is_found(start_redis, tmp_path):
    server = start_redis()
    server.stop()
    async with store_at(server.url) as store, following(store, tmp_path) as proxy:
        server.start()
        (first,) = await registered(store, "Recommend jackets.")
        await pin(store, first)
        await proxy.until_serving(first)

        await proxy.lines("store.found")
        assert proxy.follower.state.source == "store"


async def test_a_store_that_was_found_replaces_the_last_known_good(story):
    server, infos, kept = story
    server.stop()
    async with store_at(server.url) as store, following(store, kept) as proxy:
        restart(server)
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])

        assert proxy.follower.state.source == "store"


async def test_names_of_models_that_are_not_pinned_outlive_a_start_without_the_store(
    server, tmp_path
):
    async with store_at(server.url) as store:
        await registered(store, "Rank.", model="ranker")
        async with following(store, tmp_path):
            pass
    server.stop()

    async with store_at(server.url) as store, following(store, tmp_path) as proxy:
        assert proxy.follower.snapshot.models == {"ranker"}


# --- while it runs


async def test_a_killed_store_is_said_once_and_the_versions_kept(story):
    server, infos, kept = story
    async with store_at(server.url) as store, following(store, kept) as proxy:
        await proxy.lines("store.found")
        server.stop()
        (line,) = await proxy.lines("store.lost")
        await asyncio.sleep(0.3)  # several attempts to connect again

        assert proxy.serving() == infos[0].id
        assert await proxy.logged("store.lost") == [line]
        assert line["serving"] == "store"
        assert not proxy.follower.state.connected


async def test_a_store_that_fell_silent_is_noticed(story):
    server, infos, kept = story
    async with store_at(server.url) as store, following(store, kept) as proxy:
        await proxy.lines("store.found")
        began = time.perf_counter()
        server.freeze()
        await proxy.lines("store.lost")

        assert time.perf_counter() - began < NOTICED_S
        assert proxy.serving() == infos[0].id


async def test_a_store_that_is_back_is_followed(story):
    server, infos, kept = story
    async with store_at(server.url) as store, following(store, kept) as proxy:
        await proxy.lines("store.found")
        server.stop()
        await proxy.lines("store.lost")

        server.start()
        await proxy.lines("store.found", 2)
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])

        assert proxy.follower.state.connected


async def test_what_was_pinned_while_it_could_not_see_is_served_when_it_can(story):
    server, infos, kept = story
    async with store_at(server.url) as store, following(store, kept) as proxy:
        server.stop()
        await proxy.lines("store.lost")
        restart(server)
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])


# --- a store that knows less than before


def emptied(server, tmp_path):
    """Start a server without any data where `server` was."""
    server.stop()
    server.directory = tmp_path / "another"
    server.start()


async def test_a_store_that_came_back_empty_is_said_and_the_versions_kept(story, tmp_path):
    server, infos, kept = story
    async with store_at(server.url) as store, following(store, kept) as proxy:
        await proxy.lines("store.found")
        emptied(server, tmp_path)
        await proxy.lines("store.regressed")

        assert proxy.serving() == infos[0].id
        assert proxy.follower.state.regressed


async def test_a_proxy_that_starts_at_an_emptied_store_serves_what_it_served(story, tmp_path):
    server, infos, kept = story
    emptied(server, tmp_path)

    async with store_at(server.url) as store, following(store, kept) as proxy:
        await proxy.lines("store.regressed")
        assert proxy.serving() == infos[0].id


async def test_an_epoch_does_not_go_back_over_a_restart(story, tmp_path):
    server, infos, kept = story
    emptied(server, tmp_path)
    async with store_at(server.url) as store:
        (other,) = await registered(store, "Recommend scarves.")
        await pin(store, other)

        async with following(store, kept) as proxy:
            await proxy.lines("store.regressed")
            assert proxy.serving() == infos[0].id
            assert proxy.follower.snapshot.epoch == 2


async def test_an_epoch_does_not_go_back_over_a_second_restart(story, tmp_path):
    server, _, kept = story
    emptied(server, tmp_path)
    async with store_at(server.url) as store:
        for _ in range(2):
            async with following(store, kept) as proxy:
                await proxy.lines("store.regressed")

        assert proxy.follower.snapshot.epoch == 2


# --- another store: its epochs count something else


async def test_another_store_is_followed_whatever_its_epoch(story, tmp_path):
    _, _, kept = story
    store = SqliteStore(tmp_path / "store.db")
    (other,) = await registered(store, "Recommend scarves.")
    await pin(store, other)

    async with following(store, kept, place="there") as proxy:
        assert proxy.serving() == other.id
        assert proxy.follower.snapshot.epoch == 1
        assert not proxy.follower.state.regressed
    await store.close()


async def test_what_another_store_had_is_gone_once_this_one_shows_its_pins(story, tmp_path):
    _, _, kept = story
    store = SqliteStore(tmp_path / "store.db")
    (ranker,) = await registered(store, "Rank.", model="ranker")
    await pin(store, ranker)

    async with following(store, kept, place="there") as proxy:
        with pytest.raises(UnknownModel):
            proxy.resolve(MODEL)
    await store.close()


async def test_what_another_store_had_is_served_while_this_one_is_empty(story, tmp_path):
    _, infos, kept = story
    store = SqliteStore(tmp_path / "store.db")

    async with following(store, kept, place="there") as proxy:
        await proxy.lines("store.regressed")
        assert proxy.serving() == infos[0].id
    await store.close()

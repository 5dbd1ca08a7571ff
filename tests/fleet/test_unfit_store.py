"""A store that must not be followed as it is: last known good is served until that is corrected."""

import pytest

from proxy.store.url import open_store
from tests.contracts.places import pin
from tests.fleet.following import following, registered

# What spoils a server, what corrects it, and a word of the reason that is logged.
UNFIT = {
    "replica": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "read-only replica"),
    "evicting": (
        ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
        ("CONFIG", "SET", "maxmemory-policy", "noeviction"),
        "evict",
    ),
}


@pytest.fixture
async def store(server):
    opened = open_store(server.url)
    yield opened
    await opened.close()


@pytest.fixture
async def infos(server, store, tmp_path):
    """Return two versions, of which the first is pinned and was served."""
    made = await registered(store, "Recommend jackets.", "Recommend hats.")
    await pin(store, made[0])
    async with following(store, tmp_path / "kept") as proxy:
        await proxy.until_serving(made[0])
    return made


@pytest.mark.parametrize("name", UNFIT)
async def test_a_proxy_that_starts_at_an_unfit_store_serves_what_it_served(
    server, store, infos, tmp_path, name
):
    spoil, correct, word = UNFIT[name]
    server.run(*spoil)
    async with following(store, tmp_path / "kept") as proxy:
        (line,) = await proxy.lines("store.lost")
        assert word in line["reason"]
        assert (proxy.serving(), line["serving"]) == (infos[0].id, "disk")

        server.run(*correct)
        await proxy.lines("store.found")


async def test_a_proxy_that_holds_nothing_takes_nothing_from_an_unfit_store(
    server, store, infos, tmp_path
):
    server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with following(store, tmp_path / "empty") as proxy:
        (line,) = await proxy.lines("store.lost")

        assert line["serving"] == "none"
        assert not proxy.follower.snapshot.loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", UNFIT)
async def test_a_store_that_becomes_unfit_is_left_and_found_again(
    server, store, infos, tmp_path, name
):
    spoil, correct, word = UNFIT[name]
    async with following(store, tmp_path / "kept") as proxy:
        await proxy.lines("store.found")
        server.run(*spoil)
        (line,) = await proxy.lines("store.lost")
        assert word in line["reason"]
        assert proxy.serving() == infos[0].id

        server.run(*correct)
        await proxy.lines("store.found", 2)
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])

"""A replica in the place of the primary: with all that was written there, or with less."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from tests.contracts.places import change, order, pin
from tests.fleet.following import following, registered
from tests.store.relay import relayed


@asynccontextmanager
async def store_at(url):
    store = RedisStore(source(url))
    try:
        yield store
    finally:
        await store.close()


async def known_epoch(store, epoch):
    """Wait until a proxy reported this epoch, and return it: what the next pin must be above."""
    async with asyncio.timeout(10):
        while epoch not in {member.epoch for member in await store.members()}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return epoch


@pytest.mark.slow
async def test_a_failover_by_sentinels_is_followed_and_changes_nothing(watch_over, tmp_path):
    watched = watch_over(replicas=2, sentinels=3)
    async with store_at(watched.url) as store, store_at(watched.url) as operator:
        infos = await registered(operator, "Recommend jackets.", "Recommend hats.")
        await pin(operator, infos[0])
        async with following(store, tmp_path) as proxy:
            await proxy.until_serving(infos[0])
            watched.primary.copied_to(2)
            watched.primary.stop()
            await proxy.lines("store.lost")
            await proxy.lines("store.found", 2)

            assert proxy.serving() == infos[0].id
            assert len(await proxy.logged("pin.changed")) == 1
            assert await proxy.logged("store.regressed") == []
            assert (await pin(operator, infos[1])).epoch == 2
            await proxy.until_serving(infos[1])


@pytest.fixture
async def pair(start_redis):
    """Return a primary and its replica, a relay before the primary for all others, and one
    before it for the replica."""
    primary = start_redis("--repl-diskless-sync-delay", "0")
    async with relayed(primary.port) as front, relayed(primary.port) as feed:
        replica = start_redis("--replicaof", "127.0.0.1", str(feed.port))
        yield primary, replica, front, feed


async def test_a_failover_that_lost_a_pin_takes_nothing_back(pair, tmp_path):
    primary, replica, front, feed = pair
    async with store_at(front.url) as store, store_at(front.url) as operator:
        infos = await registered(operator, "Recommend jackets.", "Recommend hats.")
        await pin(operator, infos[0])
        await asyncio.to_thread(primary.copied_to, 1)
        async with following(store, tmp_path) as proxy:
            await proxy.until_serving(infos[0])
            feed.passes.clear()
            assert (await pin(operator, infos[1])).epoch == 2
            await proxy.until_serving(infos[1])

            feed.cut()
            primary.stop()
            replica.run("REPLICAOF", "NO", "ONE")
            front.server_port = replica.port
            await proxy.lines("store.regressed")

            assert (await operator.pins()).epoch == 1
            assert proxy.serving() == infos[1].id
            floor = await known_epoch(operator, 2)
            again = await operator.swap(order(change(infos[1]), floor=floor))
            assert again.epoch == 3
            await proxy.lines("store.caught_up")
            await pin(operator, infos[0])
            await proxy.until_serving(infos[0])

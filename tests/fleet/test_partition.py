"""A store that a network swallows in silence: nothing is refused, reset or closed."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from tests.contracts.places import pin
from tests.fleet.following import following, registered

pytestmark = pytest.mark.slow

# Five polls without a byte in return, of at most 0.3 s each, and room for a busy machine.
NOTICED_S = 2.5


@asynccontextmanager
async def store_at(url):
    store = RedisStore(source(url))
    try:
        yield store
    finally:
        await store.close()


async def ticks(stop):
    """Return how long the event loop was held up at most until `stop` is set, in seconds."""
    longest_s, before = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest_s, before = max(longest_s, now - before), now
    return longest_s


async def test_silent_partition_is_noticed_and_healed_without_a_word_lost(far_server, tmp_path):
    async with store_at(far_server.url) as store, store_at(far_server.url) as operator:
        infos = await registered(operator, "Recommend jackets.", "Recommend hats.")
        await pin(operator, infos[0])
        async with following(store, tmp_path) as proxy:
            await proxy.until_serving(infos[0])
            stop = asyncio.Event()
            held_up = asyncio.ensure_future(ticks(stop))
            began = time.perf_counter()
            far_server.cut()
            await proxy.lines("store.lost")
            noticed_s = time.perf_counter() - began

            assert noticed_s < NOTICED_S
            assert proxy.serving() == infos[0].id

            far_server.heal()
            await proxy.lines("store.found", 2)
            stop.set()
            assert await held_up < 0.5
            await pin(operator, infos[1])
            await proxy.until_serving(infos[1])

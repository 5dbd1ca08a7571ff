"""A connection to the store that breaks after any byte of what the store says about a pin.

Whatever had come by then is taken whole or not at all, and found again on the next connection.
"""

import asyncio
from contextlib import AsyncExitStack, aclosing, suppress

import pytest

from proxy.errors import StoreUnavailable
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_url import source
from proxy.store.redis_watch import watch
from tests.contracts.places import MODEL, pin
from tests.fleet.following import following, registered
from tests.store.relay import relayed

PROD = (MODEL, "prod")

# The longest answers about a pin, the version's bytes included, and some more.
FURTHEST_BYTES = 3000
FOLLOWERS = 30
AT_ONCE = 50
TRIES = 5
PATIENCE_S = 30.0


@pytest.fixture
async def store(server):
    made = RedisStore(source(server.url))
    yield made
    await made.close()


@pytest.fixture
async def infos(store):
    """Return two registered versions, of which the first is pinned. Both were before, so that what
    is said of former holders is as long with every further pin."""
    made = await registered(store, "Recommend jackets.", "Recommend hats.")
    for one in (*made, made[0]):
        await pin(store, one)
    return made


@pytest.fixture
async def relays(server):
    """Return a function that puts so many relays in front of the server."""
    async with AsyncExitStack() as stack:

        async def put(count):
            return [await stack.enter_async_context(relayed(server.port)) for _ in range(count)]

        yield put


async def flip(store, infos):
    """Pin the one of the two that is not held."""
    held = (await store.pins()).pins[PROD].id
    await pin(store, next(one for one in infos if one.id != held))


def cut_each_one_byte_later(relays, *, step=1, after=0):
    for count, relay in enumerate(relays, after + 1):
        relay.answered_bytes, relay.cut_answers_at = 0, count * step


async def size_of_the_news(relay, act):
    """Return how many bytes are said on a watch from `act` until it was seen."""
    async with aclosing(watch(source(relay.url).make, Keys(), {PROD})) as watched:
        before = await anext(watched)
        relay.answered_bytes = 0
        await act()
        async with asyncio.timeout(PATIENCE_S):
            while await anext(watched) == before:
                pass
        return relay.answered_bytes


class Cut:
    """A watch whose connection will break."""

    def __init__(self, watched, first):
        self._watched, self._seen = watched, [first]

    @classmethod
    async def after_a_look(cls, relay):
        """Open it, again where a busy machine took too long: nothing is damaged yet."""
        for _ in range(TRIES - 1):
            with suppress(StoreUnavailable):
                return await cls._opened(relay)
        return await cls._opened(relay)

    @classmethod
    async def _opened(cls, relay):
        watched = watch(source(relay.url).make, Keys(), {PROD})
        return cls(watched, await anext(watched))

    async def seen_until_cut(self):
        """Return every different value that the watch gave until its connection broke."""
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreUnavailable):
                await self._read_on()
        return self._seen

    async def _read_on(self):
        async for pins in self._watched:
            if pins != self._seen[-1]:
                self._seen.append(pins)


async def cut_at_every_byte(store, infos, relays):
    """Pin, time and again, until the news of it was cut after each of its bytes; yield the pins
    before and after, and what each watch saw. A process has no time for too many watches at once,
    so they come in groups."""
    (spare,) = await relays(1)
    size = await size_of_the_news(spare, lambda: flip(store, infos))
    many = await relays(size)
    for first in range(0, size, AT_ONCE):
        group = many[first : first + AT_ONCE]
        before = await store.pins()
        watches = [await Cut.after_a_look(relay) for relay in group]
        cut_each_one_byte_later(group, after=first)
        await flip(store, infos)
        seen = await asyncio.gather(*(one.seen_until_cut() for one in watches))
        yield before, await store.pins(), seen


async def test_what_is_said_of_a_pin_is_taken_whole_or_not_at_all(store, infos, relays):
    """Every two seconds a watch looks at the server before it reads: where that falls into the cut,
    nobody gets as far as the news, and it is done again."""
    for _ in range(4):
        groups = [group async for group in cut_at_every_byte(store, infos, relays)]
        assert all(pins in (a, b) for a, b, seen in groups for one in seen for pins in one)
        before, after, last = groups[-1]
        if last[-1][-1] == after:
            break

    assert {pins.epoch for one in last for pins in one} <= {before.epoch, after.epoch}
    assert groups[0][2][0][-1] == groups[0][0]
    assert last[-1][-1] == after


@pytest.mark.slow
async def test_proxy_that_was_cut_off_anywhere_serves_the_pin(store, infos, relays, tmp_path):
    many = await relays(FOLLOWERS)
    async with AsyncExitStack() as stack:
        stores = [RedisStore(source(relay.url)) for relay in many]
        proxies = [
            await stack.enter_async_context(following(own, tmp_path / f"{count}"))
            for count, own in enumerate(stores)
        ]
        cut_each_one_byte_later(many, step=FURTHEST_BYTES // FOLLOWERS)
        await pin(store, infos[1])
        await asyncio.gather(*(proxy.until_serving(infos[1]) for proxy in proxies))
        for proxy in proxies:
            await proxy.lines("pin.changed", 2)
        switches = [await proxy.logged("pin.changed") for proxy in proxies]
    for own in stores:
        await own.close()

    served = [[line["version"] for line in lines] for lines in switches]
    assert served == [[infos[0].id, infos[1].id]] * FOLLOWERS

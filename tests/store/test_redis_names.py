"""The name of a server is looked up anew for each connection: what it names may move."""

import asyncio
import socket

import pytest

from proxy.errors import StoreUnavailable
from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from tests.contracts.places import change, order, registered
from tests.redis_server import RedisServer
from tests.store.story import until


class Hosts(asyncio.SelectorEventLoop):
    """An event loop that knows where `store.test` is; None: nowhere. A lookup that `hangs` does not
    end; `under_way` counts those."""

    address = "127.0.0.1"
    hangs = False
    under_way = 0

    async def getaddrinfo(self, host, port, **options):
        if host != "store.test":
            return await super().getaddrinfo(host, port, **options)
        if self.hangs:
            self.under_way += 1
            await asyncio.Event().wait()
        if self.address is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await super().getaddrinfo(self.address, port, **options)


def run(story):
    with asyncio.Runner(loop_factory=Hosts) as runner:
        runner.run(story(runner.get_loop()))


class Elsewhere(RedisServer):
    host = "127.0.0.2"


@pytest.fixture
def elsewhere(server, tmp_path):
    """Return a server at another address, on the same port."""
    other = Elsewhere(tmp_path / "elsewhere", port=server.port)
    other.start()
    yield other
    other.stop()


def test_a_name_that_leads_to_another_server_is_followed_there(server, elsewhere):
    async def story(loop):
        store = RedisStore(source(f"redis://store.test:{server.port}"))
        there = RedisStore(source(elsewhere.url))
        await there.swap(order(change((await registered(there, "a"))[0])))
        pins = store.watch(())
        assert (await anext(pins)).epoch == 0
        loop.address = elsewhere.host
        server.stop()
        with pytest.raises(StoreUnavailable):
            await until(pins, lambda seen: False)

        again = store.watch(())

        assert (await anext(again)).epoch == 1
        assert await store.models() == await there.models()
        await again.aclose()
        await store.close()
        await there.close()

    run(story)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+cluster"])
def test_a_name_that_leads_nowhere_is_told_apart_from_a_server_that_is_away(scheme):
    async def story(loop):
        loop.address = None
        store = RedisStore(source(f"{scheme}://store.test"))
        with pytest.raises(StoreUnavailable, match="leads nowhere"):
            await store.models()
        await store.close()

    run(story)


@pytest.mark.parametrize("host", ["a" * 64, "a..b"])
def test_a_name_that_no_resolver_takes_leads_nowhere_too(host):
    async def story(loop):
        store = RedisStore(source(f"redis://{host}"))
        with pytest.raises(StoreUnavailable, match="leads nowhere"):
            await store.models()
        await store.close()

    run(story)


@pytest.mark.parametrize("scheme", ["redis", "redis+sentinel", "redis+cluster"])
def test_a_lookup_that_hangs_is_not_joined_by_others(scheme):
    async def story(loop):
        loop.hangs = True
        store = RedisStore(source(f"{scheme}://store.test/0"), deadline_s=0.02)
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                await store.models()
        await store.close()
        assert loop.under_way == 1

    run(story)


def test_a_name_is_looked_up_again_after_it_led_nowhere(server):
    async def story(loop):
        loop.address = None
        store = RedisStore(source(f"redis://store.test:{server.port}"))
        with pytest.raises(StoreUnavailable):
            await store.models()
        loop.address = "127.0.0.1"

        assert await store.models() == []
        await store.close()

    run(story)

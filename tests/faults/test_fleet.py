"""A fleet of which a part is cut off or killed, that is split between two stores, or comes back all
at once."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from tests.faults.load import under_load
from tests.faults.scene import (
    HATS_PROMPT,
    JACKETS_PROMPT,
    MODEL,
    PATIENCE_S,
    Since,
    config_on,
    metrics,
    operator_of,
    pinned_within,
    proxy_on,
)
from tests.fleet.following import following
from tests.harness import proxy_command
from tests.http.scene import until
from tests.listening import Listening
from tests.store.relay import relayed

# A proxy that can hear confirms within milliseconds; the others are not waited for longer.
WAIT_S = 0.7

HERD = 100
# Each proxy makes three a second when it has waited for a while: two to follow, as its waits are
# half a second on average, and one to report. In the first second there are some more.
ATTEMPTS = 6 * HERD
MOST_ATTEMPTS_A_SECOND = 6
# The longest wait before another attempt is a second; the rest is for a hundred proxies in one
# process, on a busy machine.
FOUND_S = 8.0


# --- cut off


@pytest.mark.slow
async def test_pin_names_the_proxy_that_is_cut_off_and_reaches_it_when_it_is_not(
    proxy, far, relay, operator, jackets, hats
):
    relay.passes.clear()
    async with under_load(proxy.address) as near_load, under_load(far.address) as far_load:
        report = await pinned_within(operator, 2, WAIT_S)
        await near_load.more()
        await far_load.more()
        during = far_load.answers[-1].stamp
        relay.passes.set()
        await far_load.stamped(hats.id)

    names = {one.name: one.ms is not None for one in report.confirmation.proxies}
    assert not report.confirmation.enough
    assert names == {name_of(proxy): True, name_of(far): False}
    assert during == jackets.id
    assert near_load.failed == far_load.failed == []
    assert far_load.prompts == {jackets.id: {JACKETS_PROMPT}, hats.id: {HATS_PROMPT}}


def name_of(proxy):
    return proxy.running.follower.reporter.name


@pytest.mark.slow
async def test_pin_names_the_proxy_that_was_killed(proxy, operator, server, tmp_path, vendor, hats):
    config = config_on(tmp_path / "process", vendor.url, server.url)
    async with proxy_command(config) as command:
        await command.event("store.found")
        await seen(operator, 2)
        command.process.kill()
        await command.process.wait()
        async with under_load(proxy.address) as load:
            report = await pinned_within(operator, 2, WAIT_S)
            await load.stamped(hats.id)

    confirmed = [one.name for one in report.confirmation.proxies if one.ms is not None]
    assert confirmed == [name_of(proxy)]
    assert len(report.confirmation.proxies) == 2
    assert not report.confirmation.enough
    assert load.failed == []


# --- split


@pytest.fixture
async def halves(start_redis, tmp_path, vendor):
    """Return two servers that were one, an operator on each, and a proxy on each side."""
    first = start_redis("--repl-diskless-sync-delay", "0")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        one = await enter(operator_of(tmp_path / "one", first.url))
        second = start_redis()
        second.run("REPLICAOF", "127.0.0.1", first.port)
        await asyncio.to_thread(synchronised, second)
        second.run("REPLICAOF", "NO", "ONE")
        relay = await enter(relayed(second.port))
        here = await enter(proxy_on(tmp_path / "here", vendor.url, first.url))
        there = await enter(proxy_on(tmp_path / "there", vendor.url, relay.url))
        yield first, second, one, relay, here, there


def synchronised(replica):
    while replica.run("INFO", "replication")["master_link_status"] != "up":
        time.sleep(0.01)


async def test_split_store_is_one_again_by_one_pin(halves):
    """The proxy with the higher epoch goes on with what it serves until a pin lies above."""
    first, second, operator, relay, here, there = halves
    async with operator_of(second.directory / "other", second.url) as other:
        await operator.pin(MODEL, 2)
        await other.pin(MODEL, 2)
        await other.pin(MODEL, 1)
    jackets, hats = (operator.version(MODEL, number).id for number in (1, 2))

    async with under_load(here.address) as load, under_load(there.address) as far_load:
        await load.stamped(hats)
        await far_load.stamped(jackets)
        relay.server_port = first.port
        relay.cut()
        await there.lines("store.regressed", 1)
        await seen(operator, 2)
        kept = far_load.answers[-1].stamp
        report = await pinned_within(operator, 2, PATIENCE_S)
        await far_load.stamped(hats)

    assert kept == jackets
    assert report.confirmation.confirmed == len(report.confirmation.proxies) == 2
    assert load.failed == far_load.failed == []
    for proxy in (here, there):
        assert (await metrics(proxy))["proxy_store_regressed"] == 0
        assert (await metrics(proxy))["proxy_epoch"] == report.swapped.epoch


async def seen(operator, count):
    """Wait until the store knows so many proxies."""
    async with asyncio.timeout(PATIENCE_S):
        while len(await operator.store.members()) < count:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.02)


# --- all at once


class Doorman:
    """Listens where a server was, closes every connection, and counts them."""

    def __init__(self, port):
        self._port = port
        self._listening = Listening(self._close)
        self.came = 0

    async def __aenter__(self):
        await self._listening.start(self._port)
        return self

    async def __aexit__(self, *exc_info):
        await self._listening.close()

    async def _close(self, reader, writer):
        self.came += 1
        writer.close()


@pytest.fixture
async def herd(server, tmp_path):
    """Return many proxies, without their listeners, that follow one server."""
    async with AsyncExitStack() as stack:
        stores = [RedisStore(source(server.url)) for _ in range(HERD)]
        proxies = [
            await stack.enter_async_context(
                following(own, tmp_path / f"{n}", name=f"web-{n}", start=False)
            )
            for n, own in enumerate(stores)
        ]
        for proxy in proxies:
            await proxy.lines("store.found")
        yield proxies
    for own in stores:
        await own.close()


@pytest.mark.slow
async def test_fleet_that_lost_its_store_does_not_storm_it(server, herd):
    server.stop()
    async with Doorman(server.port) as doorman:
        took = Since()
        await until(lambda: doorman.came >= ATTEMPTS)
        attempts_a_second = doorman.came / took()
    server.start()
    took = Since()
    for proxy in herd:
        await proxy.lines("store.found", 2)

    assert attempts_a_second < HERD * MOST_ATTEMPTS_A_SECOND
    assert took() < FOUND_S

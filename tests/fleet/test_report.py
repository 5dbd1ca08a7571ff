"""What a proxy tells the fleet, and when."""

import asyncio
import time

import pytest

from proxy.fleet.report import REPORT_EVERY_S, Reporter
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.store.sqlite import SqliteStore
from proxy.versions.record import Member
from tests.contracts.places import pin
from tests.fleet.following import following
from tests.harness import LogFile


async def member_of(store, right):
    """Wait until the store has a member of which `right` holds."""
    async with asyncio.timeout(10):
        while True:
            found = [one for one in await store.members() if right(one)]
            if found:
                return found[0]
            await asyncio.sleep(0.002)


async def test_a_switch_is_reported_at_once(proxy, store, infos):
    await member_of(store, lambda one: one.epoch == 1)
    began = time.perf_counter()
    swapped = await pin(store, infos[1])
    member = await member_of(store, lambda one: one.epoch == swapped.epoch)

    assert member.versions == {"recommender@prod": infos[1].id}
    assert time.perf_counter() - began < REPORT_EVERY_S / 2


async def test_a_proxy_is_seen_as_soon_as_it_follows(proxy, store):
    began = time.perf_counter()
    await member_of(store, lambda one: one.name == "web-1")

    assert time.perf_counter() - began < REPORT_EVERY_S / 2


async def test_a_proxy_that_starts_with_what_the_store_holds_is_seen_at_once(
    place, store, infos, tmp_path
):
    for name in ("web-1", "web-2"):
        async with following(store, tmp_path / "kept", name=name):
            began = time.perf_counter()
            await member_of(store, lambda one, name=name: one.name == name)
            assert time.perf_counter() - began < REPORT_EVERY_S / 2


async def test_a_proxy_that_drains_says_so_at_once(proxy, store):
    await member_of(store, lambda one: one.state == "serving")
    began = time.perf_counter()
    proxy.follower.reporter.drain()
    await member_of(store, lambda one: one.state == "draining")

    assert time.perf_counter() - began < REPORT_EVERY_S / 2


async def test_a_proxy_that_leaves_is_not_seen_any_more(proxy, store):
    await member_of(store, lambda one: one.name == "web-1")
    await proxy.follower.reporter.leave()

    assert await store.members() == []


class Counting(SqliteStore):
    """A store that counts the reports."""

    reports = 0

    async def report(self, member):
        self.reports += 1
        await super().report(member)


@pytest.fixture
async def counted(tmp_path):
    """Return a store and a reporter that runs on it."""
    store = Counting(tmp_path / "store.db")
    sink = LogSink(LogFile(), most_lines=10)
    reporter = Reporter(store, Member("web-1", 0, {}), log=open_log(sink), clock=time.monotonic)
    running = asyncio.create_task(reporter.run(lambda member: member))
    yield store, reporter
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sink.close()
    await store.close()


async def test_a_lease_is_renewed_without_a_switch(counted):
    store, reporter = counted
    reporter.soon()
    async with asyncio.timeout(3 * REPORT_EVERY_S):
        while store.reports < 2:  # noqa: ASYNC110  # the reporter's own turn is waited for
            await asyncio.sleep(0.01)

    assert reporter.leased


async def test_switches_in_one_turn_are_one_report(counted):
    store, reporter = counted
    for _ in range(100):
        reporter.soon()
    await member_of(store, lambda one: one.name == "web-1")

    assert store.reports == 1

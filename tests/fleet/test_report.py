"""What a proxy tells the fleet, and when."""

import asyncio
import time
from dataclasses import dataclass

import pytest

from proxy.errors import StoreUnavailable
from proxy.fleet.report import REPORT_EVERY_S, Reporter
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.store.base import LEASE_S
from proxy.store.sqlite import SqliteStore
from proxy.versions.record import Member
from tests.contracts.places import pin
from tests.fleet.following import Clock, following
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
    """A store that counts the reports, and takes none while it is away."""

    reports = 0
    away = False

    async def report(self, member):
        try:
            if self.away:
                raise StoreUnavailable
            await super().report(member)
        finally:
            self.reports += 1


@dataclass
class Reporting:
    """A reporter that runs, its store, clock and log."""

    store: Counting
    reporter: Reporter
    clock: Clock
    log: LogFile

    async def report(self):
        """Have it report now."""
        before = self.store.reports
        self.reporter.soon()
        await until(lambda: self.store.reports > before)


async def until(right):
    async with asyncio.timeout(10):
        while not right():  # noqa: ASYNC110  # the reporter's own turn is waited for
            await asyncio.sleep(0.005)


@pytest.fixture
async def reporting(tmp_path):
    store, clock, log = Counting(tmp_path / "store.db"), Clock(), LogFile()
    sink = LogSink(log, most_lines=10)
    reporter = Reporter(store, Member("web-1", 0, {}), log=open_log(sink), clock=clock)
    running = asyncio.create_task(reporter.run(lambda member: member))
    yield Reporting(store, reporter, clock, log)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sink.close()
    await store.close()


async def test_a_lease_is_renewed_without_a_switch(reporting):
    await reporting.report()
    await until(lambda: reporting.store.reports == 2)

    assert reporting.reporter.leased


async def test_switches_in_one_turn_are_one_report(reporting):
    for _ in range(100):
        reporting.reporter.soon()
    await until(lambda: reporting.reporter.leased)

    assert reporting.store.reports == 1


async def test_a_report_that_fails_is_no_news_while_the_lease_holds(reporting):
    await reporting.report()
    reporting.store.away = True
    await reporting.report()
    reporting.store.away = False
    await reporting.report()
    await until(lambda: reporting.reporter.leased)

    assert reporting.log.lines("lease.lapsed") == []


async def test_a_lease_that_ran_out_is_said_once_and_so_is_a_new_one(reporting):
    await reporting.report()
    reporting.store.away = True
    reporting.clock.forward(LEASE_S)
    for _ in range(3):
        await reporting.report()
    assert not reporting.reporter.leased

    reporting.store.away = False
    await reporting.report()
    await reporting.log.wait_for("lease.renewed", 1)

    assert len(reporting.log.lines("lease.lapsed")) == 1
    assert reporting.reporter.leased

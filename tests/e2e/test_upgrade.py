"""An upgrade: the new proxy is started beside the old one, which is then told to stop."""

import asyncio
import signal
from dataclasses import dataclass

import pytest

from proxy.simvendor.script import Events, Rest, Stall
from proxy.simvendor.server import SimulatedVendor
from tests.e2e.served import ASK, STREAM, configured, ended, members, refusal, shown, there
from tests.harness import proxy_command
from tests.load import load_on
from tests.raw_client import RawAnswer, raw_app

HUNDREDS = 150


@dataclass(frozen=True)
class Upgrade:
    """What was seen of an upgrade under load, with a stream that is open all the while."""

    failures: list
    both: list
    left: list
    statuses: list
    exit_status: int
    outcomes: set
    last: dict
    stream: bytes
    behind: RawAnswer


async def upgraded(directory):
    released = asyncio.Event()
    async with SimulatedVendor() as vendor:
        config = await configured(directory, vendor.url)
        async with proxy_command(config) as old, raw_app(old.address) as app:
            vendor.play(Events(2), Stall(until=released), Rest())
            await app.send(STREAM)
            stream = await app.read_some()
            async with (
                load_on(old.address, ASK) as load,
                proxy_command(config, "--takeover", *there(old)) as new,
            ):
                await load.more(HUNDREDS)
                statuses = [(await shown(new, "status"))[1]["instance"] for _ in range(10)]
                both = await members(config)
                old.process.send_signal(signal.SIGTERM)
                await load.more(HUNDREDS)
                await deaf(config)
                released.set()
                while not stream.endswith(b"\r\n0\r\n\r\n"):
                    stream += await app.read_some()
                await app.send(ASK)
                behind = await app.answer()
                exit_status = await ended(old)
                left = await members(config)
                load.stop()
                _, last = await shown(new, "status")
                await new.stop()
    outcomes = {one["outcome"] for each in (old, new) for one in each.lines("request.finished")}
    return Upgrade(load.failures, both, left, statuses, exit_status, outcomes, last, stream, behind)


async def deaf(config):
    """Wait until the old proxy takes no connection any more: it tells the fleet then."""
    async with asyncio.timeout(20):
        while True:
            if "draining" in {one.state for one in await members(config)}:
                return
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory):
    return asyncio.run(upgraded(tmp_path_factory.mktemp("upgrade")))


def test_no_request_is_lost(upgrade):
    assert upgrade.failures == []
    assert upgrade.outcomes == {"ok"}


def test_both_are_members_of_the_fleet_until_the_old_one_leaves(upgrade):
    assert [one.name for one in upgrade.both] == ["web", "web"]
    assert [one.instance for one in upgrade.left] == [upgrade.last["instance"]]


def test_whoever_asks_the_admin_address_is_answered_by_the_new_one(upgrade):
    assert set(upgrade.statuses) == {upgrade.last["instance"]}


def test_the_old_one_ends_well(upgrade):
    assert upgrade.exit_status == 0


def test_a_stream_of_the_old_one_is_finished_and_may_be_followed(upgrade):
    """Whoever read it to the end may have sent the next request before the connection closes."""
    assert b"[DONE]" in upgrade.stream
    assert (upgrade.behind.status, upgrade.behind.header("connection")) == (200, "close")


async def test_a_second_one_by_mistake_is_refused(tmp_path):
    config = await configured(tmp_path, "http://127.0.0.1:1")
    async with proxy_command(config) as running:
        status, told = await refusal(config, *there(running))

    assert status == 1
    assert "address already in use" in told
    assert "proxyctl serve --takeover" in told

"""A store that dies, freezes, is slow, comes back, or comes back empty, while apps are served.

The rule: no request fails, none is answered by anything but what was served before, and the event
loop does not wait for the store.
"""

import asyncio

import pytest

from tests.faults.load import LONGEST_GAP_S, under_load
from tests.faults.scene import HATS_PROMPT, JACKETS_PROMPT, PATIENCE_S, Since, is_ready, metrics

# A connection that is closed says so at once; the rest is for a busy machine.
CLOSED_S = 1.0
# Five polls of at most 0.3 s go unanswered before a server that is silent counts as gone.
SILENT_S = 2.5
# The longest wait before another attempt to connect is a second.
FOUND_S = 2.5

# On average three by the watch, whose wait is a quarter to half a second, and one to report.
MOST_ATTEMPTS_A_SECOND = 8


def emptied(server):
    """Start a server without any data where `server` was."""
    server.directory = server.directory.with_name("emptied")
    server.start()


async def test_killed_store_is_felt_by_no_request_and_found_again(proxy, server, jackets):
    async with under_load(proxy.address) as load:
        server.stop()
        took = Since()
        await proxy.lines("store.lost", 1)
        noticed_s = took()
        await load.more()
        assert await is_ready(proxy)
        assert (await metrics(proxy))["proxy_store_connected"] == 0

        server.start()
        took = Since()
        await proxy.lines("store.found", 2)
        found_s = took()
        await load.more()

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert load.longest_gap_s < LONGEST_GAP_S
    assert noticed_s < CLOSED_S
    assert found_s < FOUND_S


@pytest.mark.slow
async def test_frozen_store_is_felt_by_no_request_and_found_again(proxy, server, jackets):
    async with under_load(proxy.address) as load:
        server.freeze()
        took = Since()
        await proxy.lines("store.lost", 1)
        noticed_s = took()
        await load.more()
        assert await is_ready(proxy)

        server.thaw()
        took = Since()
        await proxy.lines("store.found", 2)
        found_s = took()
        await load.more()

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert load.longest_gap_s < LONGEST_GAP_S
    assert noticed_s < SILENT_S
    assert found_s < FOUND_S


async def test_restarted_empty_store_is_said_and_not_followed_back(proxy, server, jackets):
    async with under_load(proxy.address) as load:
        server.stop()
        emptied(server)
        await proxy.lines("store.regressed", 1)
        await load.more()

        assert await is_ready(proxy)
        shown = await metrics(proxy)
        assert (shown["proxy_store_regressed"], shown["proxy_epoch"]) == (1, 1)

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}


async def test_slow_store_delays_pins_and_no_request(far, relay, operator, jackets, hats):
    relay.delay_s = 0.05
    async with under_load(far.address) as load:
        await operator.pin("recommender", 2)
        await load.stamped(hats.id)

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}, hats.id: {HATS_PROMPT}}
    assert load.longest_gap_s < LONGEST_GAP_S


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [2, 30])
async def test_store_slower_than_its_deadlines_counts_as_away(far, relay, jackets, delay_s):
    async with under_load(far.address) as load:
        relay.delay_s = delay_s
        await far.lines("store.lost", 1)
        await load.more()
        relay.delay_s = 0
        relay.cut()
        await far.lines("store.found", 2)

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert load.longest_gap_s < LONGEST_GAP_S


NONSENSE = [b"HTTP/1.1 200 OK\r\n\r\n", b"$-7\r\n", b"\x00" * 99]


async def talk_nonsense(relay, garbage, proxy, count):
    """Say it in the place of answers until one was an answer to the watch, for the time `count`."""
    async with asyncio.timeout(PATIENCE_S):
        while len(proxy.log.lines("store.lost")) < count:
            relay.garbage = garbage
            await asyncio.sleep(0.02)
    relay.garbage = None


async def test_store_that_talks_nonsense_is_left_and_asked_again(far, relay, jackets):
    async with under_load(far.address) as load:
        for count, garbage in enumerate(NONSENSE, 1):
            await talk_nonsense(relay, garbage, far, count)
            await far.lines("store.found", count + 1)
        await load.more()

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}


async def test_pin_during_the_loss_of_a_connection_is_found(proxy, server, operator, hats):
    async with under_load(proxy.address) as load:
        for number in (2, 1, 2):
            server.run("CLIENT", "KILL", "TYPE", "pubsub")
            await operator.pin("recommender", number)
        await load.stamped(hats.id)

    assert load.failed == []


@pytest.mark.slow
async def test_store_without_a_free_connection_is_not_stormed(proxy, server, jackets):
    with server.client() as person:
        async with under_load(proxy.address) as load:
            person.config_set("maxclients", 1)
            person.client_kill_filter(skipme=True, _type="pubsub")
            person.client_kill_filter(skipme=True, _type="normal")
            await proxy.lines("store.lost", 1)
            await load.more()
            took, before = Since(), person.info("stats")["rejected_connections"]
            await load.more(600)
            attempts = person.info("stats")["rejected_connections"] - before
            attempts_a_second = attempts / took()
            person.config_set("maxclients", 100)
            await proxy.lines("store.found", 2)

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert 0 < attempts_a_second < MOST_ATTEMPTS_A_SECOND

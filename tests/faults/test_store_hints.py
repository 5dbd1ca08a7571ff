"""Messages of the store's channel: doubled, old, in the wrong order, forged, without end.

A message is a hint to read, never the news itself: whatever is said, what is read decides.
"""

import asyncio

import pytest

from proxy.store.redis_keys import Keys
from tests.faults.load import LONGEST_GAP_S, under_load
from tests.faults.scene import JACKETS_PROMPT, metrics

CHANNEL = Keys().changes

# One read is under way at a time, so a flood costs as many as the server answers one by one.
FLOOD = 10_000
MOST_READS = FLOOD // 20


def reads(server):
    return server.run("INFO", "commandstats")["cmdstat_mget"]["calls"]


@pytest.fixture
async def heard(server, proxy, operator):
    """Return all that was said on the channel while jackets, hats and jackets were pinned."""
    with server.client() as person:
        listening = person.pubsub(ignore_subscribe_messages=True)
        listening.subscribe(CHANNEL)
        listening.get_message(timeout=1)
        await operator.pin("recommender", 2)
        await operator.pin("recommender", 1)
        said = []
        while (message := listening.get_message(timeout=0.1)) is not None:
            said.append(message["data"])
        listening.close()
    return said


async def test_old_messages_in_any_order_change_nothing(proxy, server, heard, jackets):
    epoch = (await metrics(proxy))["proxy_epoch"]
    async with under_load(proxy.address) as load:
        for data in [*heard, *reversed(heard), b"999", b"", b"\xff\xff"] * 5:
            server.run("PUBLISH", CHANNEL, data)
        await load.more()

    assert heard
    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert (await metrics(proxy))["proxy_epoch"] == epoch


def flood(server):
    """Say everything in a few bursts."""
    burst = f"for i=1,{FLOOD // 20} do redis.call('PUBLISH', '{CHANNEL}', i) end"
    for _ in range(20):
        server.run("EVAL", burst, 0)


async def test_flood_of_messages_delays_neither_requests_nor_pins(proxy, server, operator, hats):
    before = reads(server)
    async with under_load(proxy.address) as load:
        flooding = asyncio.create_task(asyncio.to_thread(flood, server))
        await operator.pin("recommender", 2)
        await load.stamped(hats.id)
        await flooding

    assert load.failed == []
    assert load.longest_gap_s < LONGEST_GAP_S
    assert reads(server) - before < MOST_READS

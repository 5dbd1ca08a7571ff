"""The pipe between a supervisor and a worker, and what happens when one end is gone."""

import socket

import pytest

from proxy.workers.channel import Channel
from proxy.workers.messages import Ask, Cut, Deaf, News, Order, Over, Ready, Save, What


@pytest.fixture
async def ends():
    above, below = socket.socketpair()
    opened = await Channel.open(above, News), await Channel.open(below, Order)
    yield opened
    for one in opened:
        await one.close()


async def test_messages_come_in_their_order_both_ways(ends):
    above, below = ends
    for message in (Ask(1, What.METRICS), Save()):
        above.send(message)
    below.send(Ready())

    assert [await below.receive() for _ in range(2)] == [Ask(1, What.METRICS), Save()]
    assert await above.receive() == Ready()


async def test_a_large_page_comes_whole(ends):
    page = "proxy_requests_total 1\n" * 200_000
    above, below = ends
    below.send(Over(page))

    assert await above.receive() == Over(page)


async def test_the_end_of_the_other_process_is_told(ends):
    above, below = ends
    below.send(Deaf())
    await below.close()

    assert await above.receive() == Deaf()
    assert await above.receive() is None


async def test_who_is_gone_misses_nothing(ends):
    above, below = ends
    await below.close()
    await above.receive()
    await above.close()

    above.send(Cut())

    assert await above.receive() is None


@pytest.mark.parametrize(
    "junk", [b"{}\n", b"\xff\n", b'{"type":"Rea'], ids=["other", "bytes", "half"]
)
async def test_what_makes_no_sense_ends_it(junk):
    above, below = socket.socketpair()
    channel = await Channel.open(above, News)
    with below:
        below.sendall(junk)

    assert await channel.receive() is None
    await channel.close()

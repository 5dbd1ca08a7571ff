"""Connections to vendors: kept while they can be trusted; never more than allowed."""

import asyncio

import pytest

from tests.http.frames import sized
from tests.http.scene import ANSWER, ASK, ASK_STREAM, EVENT, STREAMED, STREAMS, refused, until
from tests.raw_client import raw_app, request
from tests.vendor_script import (
    Fin,
    Say,
    Stall,
    chunk,
    head,
    stream_head,
    whole,
)

ONE_READ = b"".join(step.bytes for step in STREAMS)


async def test_answer_may_be_cut_anywhere(scene):
    for cut in range(1, len(ONE_READ)):
        scene.vendor.play(Say(ONE_READ[:cut]), Stall(0.0), Say(ONE_READ[cut:]))

        answer = await scene.ask(ASK_STREAM)

        assert (answer.body, answer.ending) == (STREAMED, "tidy")
    assert len(scene.vendor.connections) == 1


async def test_answer_may_come_byte_by_byte(scene):
    scene.vendor.play(*(Say(ONE_READ[at : at + 1]) for at in range(len(ONE_READ))))

    assert (await scene.ask(ASK_STREAM)).body == STREAMED


@pytest.mark.vendor(Say(head(100) + head(103) + whole(ANSWER)))
async def test_informational_heads_are_counted_by_answer_not_by_connection(scene):
    answers = [await scene.ask() for _ in range(10)]

    assert {answer.body for answer in answers} == {ANSWER}
    assert len(scene.vendor.connections) == 1


@pytest.mark.parametrize(
    "said", [whole(b"evil"), b"\r\n", b"HTTP/1.1 200"], ids=["answer", "empty", "torn"]
)
async def test_bytes_that_nobody_asked_for_end_a_connection(scene, said):
    spoken = asyncio.Event()
    scene.vendor.play(Say(whole(ANSWER)), Stall(until=spoken), Say(said))
    await scene.ask()
    spoken.set()

    connection = await scene.vendor.connected()
    await asyncio.wait_for(connection.closed.wait(), 5)

    assert (await scene.ask()).body == ANSWER
    assert len(scene.vendor.connections) == 2


async def test_connection_that_the_vendor_closes_while_idle_is_replaced(scene):
    scene.vendor.play(Say(whole(ANSWER)), Fin())
    await scene.ask()
    connection = await scene.vendor.connected()
    await asyncio.wait_for(connection.closed.wait(), 5)

    assert (await scene.ask()).body == ANSWER
    assert len(scene.vendor.connections) == 2


@pytest.mark.vendor(
    Say(b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + ANSWER), Fin()
)
async def test_document_of_an_old_server_ends_with_its_connection(scene):
    answer = await scene.ask()

    assert (answer.body, answer.ending) == (ANSWER, "tidy")


@pytest.mark.vendor(Say(head(204)))
async def test_answer_without_a_body_is_over_with_its_head(scene):
    answers = [await scene.ask() for _ in range(2)]

    assert [answer.status for answer in answers] == [204, 204]
    assert len(scene.vendor.connections) == 1


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT) + b"0\r\nx-note: a\r\n\r\n"))
async def test_trailers_of_the_vendor_are_left_out(scene):
    answer = await scene.ask(ASK_STREAM)

    assert (answer.body, answer.ending) == (EVENT, "tidy")


@pytest.mark.vendor(Say(whole(b'{"error":{}}', status=413)), reads="head")
async def test_answer_that_comes_before_the_vendor_has_the_request_is_passed_on(scene):
    answer = await scene.ask(request(sized(12_000_000)))

    assert (answer.status, answer.body) == (413, b'{"error":{}}')


@pytest.mark.vendor(Say(whole(b'{"error":{}}', status=413)), Stall(), reads="head")
async def test_connection_that_still_carries_a_request_is_not_used_again(scene):
    await scene.ask(request(sized(12_000_000)))

    await scene.ask()

    assert len(scene.vendor.connections) == 2


@pytest.mark.vendor(Stall(0.1), Say(whole(ANSWER)), overrides={"limits": {"upstream_idle": 1}})
async def test_idle_connections_are_limited(scene):
    async with raw_app(scene.proxy.address) as other:
        await other.send(ASK)
        await scene.ask()
        await other.answer()

    await until(lambda: sum(one.closed.is_set() for one in scene.vendor.connections) == 1)
    assert len(scene.vendor.connections) == 2


@pytest.mark.vendor(Stall(), overrides={"limits": {"upstream_connections": 1}})
async def test_connections_to_a_vendor_are_limited(scene):
    async with raw_app(scene.proxy.address) as other:
        await other.send(ASK)
        await scene.vendor.received()

        assert refused(await scene.ask()) == (503, "overloaded")


@pytest.mark.vendor(overrides={"limits": {"upstream_connections": 1}})
async def test_one_connection_serves_one_request_after_another(scene):
    assert [(await scene.ask()).status for _ in range(5)] == [200] * 5

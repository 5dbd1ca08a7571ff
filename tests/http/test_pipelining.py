"""Requests in a row are answered in order, and no further ahead than there is room."""

import asyncio

import pytest

from tests.http.frames import sized
from tests.http.scene import (
    ANSWER,
    ASK,
    ASK_STREAM,
    BODY,
    LIST,
    STREAMED,
    STREAMS,
    refused,
    scene_of,
)
from tests.raw_client import request
from tests.vendor_script import Say, Stall, whole


@pytest.mark.vendor(Stall(0.1), Say(whole(ANSWER)))
async def test_answers_come_in_the_order_of_the_requests(scene):
    unknown = request({**BODY, "model": "nobody"})
    scene.vendor.play(Stall(0.1), Say(whole(b'{"first":1}')))
    scene.vendor.play(*STREAMS)

    await scene.app.send(ASK + LIST + ASK_STREAM + unknown + LIST + ASK)
    answers = [await scene.app.answer() for _ in range(6)]

    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200, 200]
    assert answers[0].json == {"first": 1}
    assert answers[1].json["object"] == answers[4].json["object"] == "list"
    assert answers[2].body == STREAMED
    assert answers[5].body == ANSWER


async def test_pipelined_requests_use_one_connection_to_the_vendor(scene):
    await scene.app.send(ASK * 5)
    for _ in range(5):
        await scene.app.answer()

    assert len(scene.vendor.connections) == 1


async def test_requests_behind_a_refused_one_are_not_served(scene):
    await scene.app.send(ASK + request(BODY, path="/nothing") + ASK)
    first, second = await scene.app.answer(), await scene.app.answer()

    assert first.body == ANSWER
    assert refused(second) == (404, "not_found")
    assert await scene.app.closed() == "cut"
    assert len(scene.vendor.requests) == 1


async def test_proxy_reads_no_further_than_its_limit(tmp_path):
    release = asyncio.Event()
    big = request(sized(400_000))
    count = 60

    async with scene_of(
        tmp_path,
        Stall(until=release),
        Say(whole(ANSWER)),
        overrides={"limits": {"pipelined": 2}},
    ) as scene:
        sending = asyncio.ensure_future(scene.app.send(big * count))
        await scene.vendor.received()
        done, _ = await asyncio.wait([sending], timeout=0.3)
        release.set()

        assert not done, "all of it was read"
        assert {(await scene.app.answer()).status for _ in range(count)} == {200}
        await sending


@pytest.mark.parametrize("extra", [b"c4n4ry\r\n\r\n", b"\x00", b"{}\r\n"], ids=len)
async def test_bytes_behind_a_body_are_the_next_request(scene, extra):
    await scene.app.send(ASK + extra)
    first, second = await scene.app.answer(), await scene.app.answer()

    assert first.body == ANSWER
    assert refused(second) == (400, "bad_framing")
    assert await scene.app.closed() == "cut"


async def test_empty_lines_between_requests_are_left_out(scene):
    for _ in range(2):
        assert (await scene.ask(b"\r\n\r\n" + ASK)).body == ANSWER

"""Connections from apps: kept, closed, counted."""

import pytest

from tests.http.scene import (
    ANSWER,
    ASK,
    ASK_STREAM,
    BODY,
    STREAMED,
    STREAMS,
    refused,
    until,
)
from tests.raw_client import raw_app, request


async def test_connection_is_kept_for_the_next_request(scene):
    answers = [await scene.ask() for _ in range(5)]

    assert [answer.header("connection") for answer in answers] == [None] * 5
    assert scene.connections == 1


@pytest.mark.parametrize("token", ["close", "Close", "keep-alive, close"])
async def test_connection_is_closed_where_the_app_says_so(scene, token):
    answer = await scene.ask(request(BODY, headers=[("Connection", token)]))

    assert (answer.status, answer.header("connection")) == (200, "close")
    assert await scene.app.closed() == "cut"


async def test_refused_path_closes_the_connection_since_the_body_is_not_read(scene):
    answer = await scene.ask(request(BODY, path="/nothing"))

    assert answer.header("connection") == "close"
    assert await scene.app.closed() == "cut"


async def test_error_of_a_body_that_was_read_keeps_the_connection(scene):
    first = await scene.ask(request("{"))

    assert refused(first) == (400, "invalid_json")
    assert (await scene.ask()).body == ANSWER


OLD = ASK.replace(b" HTTP/1.1", b" HTTP/1.0")


async def test_http_1_0_closes_by_default(scene):
    answer = await scene.ask(OLD)

    assert (answer.body, answer.header("connection")) == (ANSWER, "close")
    assert await scene.app.closed() == "cut"


async def test_http_1_0_may_ask_to_keep_the_connection(scene):
    kept = OLD.replace(b"\r\n", b"\r\nConnection: keep-alive\r\n", 1)

    answers = [await scene.ask(kept) for _ in range(2)]

    assert [answer.header("connection") for answer in answers] == ["keep-alive"] * 2


async def test_http_1_0_needs_no_host(scene):
    assert (await scene.ask(OLD.replace(b"Host: proxy.test\r\n", b""))).status == 200


@pytest.mark.vendor(*STREAMS)
async def test_stream_over_http_1_0_ends_with_the_connection(scene):
    kept = ASK_STREAM.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\nConnection: keep-alive\r\n")

    answer = await scene.ask(kept)

    assert (answer.body, answer.header("connection")) == (STREAMED, "close")
    assert answer.header("transfer-encoding") is None


@pytest.mark.vendor(overrides={"limits": {"connections": 2}})
async def test_connections_are_limited(scene):
    async with raw_app(scene.proxy.address) as second, raw_app(scene.proxy.address) as third:
        await until(lambda: scene.connections == 2)

        assert await third.closed() in ("cut", "reset")
        await second.send(ASK)
        assert (await second.answer()).body == ANSWER


@pytest.mark.vendor(overrides={"limits": {"connections": 1}})
async def test_room_is_made_when_a_connection_goes(scene):
    scene.app.vanish()
    await until(lambda: scene.connections == 0)

    async with raw_app(scene.proxy.address) as second:
        await second.send(ASK)
        assert (await second.answer()).body == ANSWER

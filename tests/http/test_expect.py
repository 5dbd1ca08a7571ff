"""Expect: 100-continue: a body is asked for where it is wanted, and nowhere else."""

import pytest

from tests.http.frames import PLAIN, expecting, in_chunks
from tests.http.scene import (
    ANSWER,
    ASK,
    LIST,
    refused,
    scene_of,
)
from tests.vendor_script import Say, Stall, whole

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_body_is_asked_for_where_the_app_waits(scene):
    await scene.app.send(expecting())

    assert await scene.app.read_some() == CONTINUE
    assert (await scene.ask(PLAIN)).body == ANSWER


async def test_body_in_chunks_is_asked_for(scene):
    head = in_chunks(PLAIN, 20).partition(b"\r\n\r\n")[0] + b"\r\nExpect: 100-Continue\r\n\r\n"
    await scene.app.send(head)

    assert await scene.app.read_some() == CONTINUE


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (expecting("/nothing"), (404, "not_found")),
        (expecting("/v1/models"), (405, "method_not_allowed")),
        (expecting(length=10**10), (413, "body_too_large")),
        (expecting(headers=["Upgrade: h2c"]), (400, "bad_framing")),
    ],
    ids=["path", "method", "size", "framing"],
)
async def test_body_that_is_refused_is_not_asked_for(scene, head, expected):
    answer = await scene.ask(head)

    assert answer.informational == []
    assert refused(answer) == expected


async def test_body_without_a_token_is_not_asked_for(tmp_path):
    apps = {"apps": {"web": {"token_sha256": "0" * 64}}}

    async with scene_of(tmp_path, overrides=apps) as scene:
        answer = await scene.ask(expecting())

        assert answer.informational == []
        assert refused(answer) == (401, "unauthorized")


async def test_nothing_is_asked_for_over_http_1_0(scene):
    answer = await scene.ask(expecting(line="POST /v1/chat/completions HTTP/1.0") + PLAIN)

    assert (answer.status, answer.informational) == (200, [])


async def test_nothing_is_asked_for_where_there_is_no_body(scene):
    answer = await scene.ask(expecting("/v1/models", line="GET /v1/models HTTP/1.1", length=0))

    assert (answer.status, answer.informational) == (200, [])


async def test_body_is_not_asked_for_before_the_answer_that_comes_first(scene):
    await scene.app.send(LIST + expecting())
    first = await scene.app.answer()
    await scene.app.send(PLAIN)
    second = await scene.app.answer()

    assert (first.status, first.informational) == (200, [])
    assert (second.body, second.informational) == (ANSWER, [100])


@pytest.mark.vendor(Stall(0.05), Say(whole(ANSWER)))
async def test_body_behind_another_request_is_asked_for_in_its_turn(scene):
    await scene.app.send(ASK + expecting())
    first = await scene.app.answer()

    assert (first.body, first.informational) == (ANSWER, [])
    assert await scene.app.read_some() == CONTINUE
    assert (await scene.ask(PLAIN)).body == ANSWER

"""aiohttp's server, kept from saying what a client sent or what an exception held.

It hooks into names that aiohttp does not promise to keep; these tests are the promise.
"""

import io
import json

import pytest
from aiohttp import web

from proxy.admin.runner import build_runner
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from tests.harness import CANARY
from tests.raw_client import raw_app


async def crash(request):
    raise RuntimeError(CANARY)


async def crash_late(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"half")
    raise RuntimeError(CANARY)


@pytest.fixture
async def served():
    """Return the address of an app that crashes, and a function that gives the log's lines."""
    file = io.BytesIO()
    sink = LogSink(file, most_lines=100)
    app = web.Application()
    app.router.add_get("/crash", crash)
    app.router.add_get("/late", crash_late)
    runner = build_runner(app, open_log(sink))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def lines():
        await runner.cleanup()
        sink.close()
        return [json.loads(line) for line in file.getvalue().splitlines()]

    yield runner.addresses[0], lines
    await runner.cleanup()
    sink.close()


async def test_a_crash_is_answered_and_logged_without_its_words(served):
    address, lines = served
    async with raw_app(address) as app:
        await app.send(b"GET /crash HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n")
        answer = await app.answer()

    assert answer.status == 500
    assert answer.json == {"error": {"code": "internal"}}
    (line,) = await lines()
    assert (line["event"], line["error"]) == ("admin.failed", "RuntimeError")
    assert CANARY not in json.dumps(line)


async def test_a_crash_in_the_middle_of_an_answer_breaks_the_connection(served):
    address, lines = served
    async with raw_app(address) as app:
        await app.send(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await app.answer()

    assert (answer.body, answer.ending) == (b"half", "cut")
    assert CANARY not in json.dumps(await lines())


async def test_a_request_that_cannot_be_read_is_not_logged(served):
    address, lines = served
    async with raw_app(address) as app:
        await app.send(b"GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n")
        assert b" 400 " in await app.read_to_end()

    assert await lines() == []

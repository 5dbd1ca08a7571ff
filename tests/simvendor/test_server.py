"""The simulated vendor over a socket: faults at exact places, and nothing of it left behind."""

import asyncio
import os
import signal
import sys

import pytest

from proxy.simvendor.script import (
    Cut,
    Events,
    Fail,
    Fin,
    Garbage,
    Pace,
    Refuse,
    Rest,
    Say,
    Stall,
)
from proxy.simvendor.server import SimulatedVendor
from tests.raw_client import raw_app, request

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**BODY, "stream": True}
KEY = "sk-app-0000"


@pytest.fixture
async def vendor():
    async with SimulatedVendor(record=10) as running:
        yield running


def address(vendor):
    return ("127.0.0.1", int(vendor.url.rpartition(":")[2]))


async def ask(vendor, body, **more):
    async with raw_app(address(vendor)) as app:
        await app.send(request(body, **more))
        return await app.answer()


async def test_answer_carries_the_vendors_own_headers(vendor):
    answer = await ask(vendor, BODY)

    assert answer.status == 200
    assert answer.header("x-request-id").startswith("req_sim")
    assert answer.header("x-ratelimit-remaining-requests") == "9999"


async def test_stream_is_chunked_and_ends_tidily(vendor):
    answer = await ask(vendor, STREAM)

    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert answer.ending == "tidy"


async def test_responses_path_speaks_its_own_dialect(vendor):
    answer = await ask(vendor, {"model": "gpt-4o", "input": "hi"}, path="/v1/responses")

    assert answer.json["object"] == "response"


async def test_messages_paths_speak_their_own_dialect(vendor):
    version = [("anthropic-version", "2023-06-01")]
    asked = {**BODY, "max_tokens": 7}

    answer = await ask(vendor, asked, path="/v1/messages", headers=version)
    counted = await ask(vendor, BODY, path="/v1/messages/count_tokens", headers=version)
    refused = await ask(vendor, BODY, path="/v1/messages", headers=version)

    assert (answer.json["type"], answer.header("request-id")[:7]) == ("message", "req_sim")
    assert counted.json == {"input_tokens": 1}
    assert (refused.status, refused.json["type"]) == (400, "error")


async def test_models_are_listed_as_the_caller_reads_them(vendor):
    version = [("anthropic-version", "2023-06-01")]

    answer = await ask(vendor, b"", path="/v1/models", method="GET", headers=version)

    assert answer.json["has_more"] is False
    assert {row["type"] for row in answer.json["data"]} == {"model"}


async def test_models_are_listed_with_those_that_were_added():
    async with SimulatedVendor(models=["house-model"]) as vendor:
        answer = await ask(vendor, b"", path="/v1/models", method="GET")

    assert {"gpt-4o-2024-08-06", "house-model"} <= {row["id"] for row in answer.json["data"]}


async def test_unknown_path_is_a_vendor_error(vendor):
    answer = await ask(vendor, BODY, path="/v1/nothing")

    assert (answer.status, answer.json["error"]["code"]) == (404, "unknown_url")


async def test_missing_model_is_a_vendor_error(vendor):
    answer = await ask(vendor, {"messages": []})

    assert (answer.status, answer.json["error"]["param"]) == (400, "model")


async def test_missing_credential_is_refused_unless_it_does_not_matter(vendor):
    raw = request(BODY).replace(b"Authorization", b"X-Other")

    async with raw_app(address(vendor)) as app:
        await app.send(raw)
        refused = await app.answer()
    async with SimulatedVendor(auth=False) as open_vendor, raw_app(address(open_vendor)) as app:
        await app.send(raw)
        let_in = await app.answer()

    assert (refused.status, let_in.status) == (401, 200)


async def test_credential_is_never_echoed(vendor):
    answer = await ask(vendor, BODY)

    assert KEY not in answer.body.decode() + repr(answer.headers)
    assert KEY not in repr(vendor.seen)


async def test_requests_are_recorded_only_when_asked(vendor):
    await ask(vendor, BODY)
    async with SimulatedVendor() as forgetful:
        await ask(forgetful, BODY)

    (seen,) = vendor.seen
    assert (seen.method, seen.path, seen.outcome) == ("POST", "/v1/chat/completions", "answered")
    assert ("Authorization", f"Bearer {KEY}") in seen.headers
    assert not forgetful.seen


async def test_script_is_used_once(vendor):
    vendor.play(Refuse(503, headers={"retry-after": "1"}))

    first, second = await ask(vendor, BODY), await ask(vendor, BODY)

    assert (first.status, first.header("retry-after")) == (503, "1")
    assert second.status == 200


async def test_say_replaces_the_answer(vendor):
    vendor.play(Say(b"data: 1\n\n"), Say(b"data: 2\n\n"))

    answer = await ask(vendor, STREAM)

    assert (answer.body, answer.ending) == (b"data: 1\n\ndata: 2\n\n", "tidy")


async def test_cut_resets_the_connection_after_some_events(vendor):
    vendor.play(Events(2), Cut())

    answer = await ask(vendor, STREAM)

    assert answer.body.count(b"data: ") == 2
    assert answer.ending == "reset"
    assert vendor.seen[0].outcome == "broken"


async def test_fin_ends_the_connection_without_ending_the_body(vendor):
    vendor.play(Events(2), Fin())

    answer = await ask(vendor, STREAM)

    assert (answer.body.count(b"data: "), answer.ending) == (2, "cut")


async def test_garbage_replaces_the_head(vendor):
    vendor.play(Garbage(b"\x00\x01garbage"), Fin())

    async with raw_app(address(vendor)) as app:
        await app.send(request(BODY))

        assert await app.read_some() == b"\x00\x01garbage"


async def test_fail_sends_the_error_event_of_the_dialect(vendor):
    vendor.play(Events(1), Fail(), times=2)

    chat = await ask(vendor, STREAM)
    responses = await ask(
        vendor, {"model": "m", "input": "hi", "stream": True}, path="/v1/responses"
    )

    assert b'data: {"error":{"message"' in chat.body
    assert b'event: error\ndata: {"type":"error"' in responses.body


async def test_fail_is_a_500_where_nothing_streams(vendor):
    vendor.play(Events(1), Fail())

    assert (await ask(vendor, BODY)).status == 500


async def test_stall_waits_until_it_is_released(vendor):
    release = asyncio.Event()
    vendor.play(Events(1), Stall(until=release), Rest())

    async with raw_app(address(vendor)) as app:
        await app.send(request(STREAM))
        first = await app.read_some()
        release.set()
        rest = await app.read_some()

    assert b"[DONE]" not in first
    assert rest


async def test_caller_that_leaves_ends_the_exchange(vendor):
    vendor.play(Events(1), Stall(), Rest())

    async with raw_app(address(vendor)) as app:
        await app.send(request(STREAM))
        await app.read_some()
    await asyncio.wait_for(vendor.seen[0].ended.wait(), 5)

    assert vendor.seen[0].outcome == "abandoned"


async def test_text_of_a_request_may_ask_for_a_fault(vendor):
    ask_for_it = {"role": "user", "content": "hi [[sim:status 429]]"}

    answer = await ask(vendor, {**BODY, "messages": [ask_for_it]})

    assert (answer.status, answer.json["error"]["code"]) == (429, "rate_limit_exceeded")


async def test_pace_is_kept_between_events(vendor):
    vendor.play(Pace(5), Events(10))
    started = asyncio.get_running_loop().time()

    await ask(vendor, STREAM)

    assert asyncio.get_running_loop().time() - started >= 0.05


async def test_command_serves_until_it_is_terminated():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "proxy.simvendor", "--port", "0", "--no-auth"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    port = int(line.strip().rpartition(":")[2])

    async with raw_app(("127.0.0.1", port)) as app:
        await app.send(request(BODY))
        answer = await app.answer()
    process.send_signal(signal.SIGTERM)

    assert answer.status == 200
    assert await asyncio.wait_for(process.wait(), 10) == 0

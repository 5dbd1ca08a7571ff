"""Plain curl: what people try first, and the corners of HTTP that SDKs never touch."""

import asyncio
import json
import shutil

import pytest

from proxy.simvendor.script import Events, Rest, Stall
from tests.e2e.models import SHOWN

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

BODY = {"model": "recommender", "messages": [{"role": "user", "content": "What should I wear?"}]}
BIG = 2 * 1024 * 1024


async def curl(proxy, *arguments, body=BODY, path="/chat/completions"):
    """Run curl; return its exit status, what it printed, and its trace."""
    process = await start(proxy, "--verbose", *arguments, path=path)
    out, trace = await asyncio.wait_for(process.communicate(json.dumps(body).encode()), 20)
    return process.returncode, out.decode(), trace.decode()


async def start(proxy, *arguments, path="/chat/completions"):
    fixed = ["--silent", "--noproxy", "*", "--header", "content-type: application/json"]
    command = ["curl", *fixed, *arguments, "--data-binary", "@-", proxy.base_url + path]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)


def said(text):
    return json.loads(text)["choices"][0]["message"]["content"]


async def test_answer_comes_back_with_its_stamp(proxy):
    status, out, trace = await curl(proxy)

    assert (status, said(out)) == (0, SHOWN)
    assert f"< x-proxy-version: {proxy.version('recommender', 1).id}" in trace


async def test_big_body_waits_for_100_continue(proxy, vendor):
    filler = {"role": "user", "content": "A" * BIG}
    body = {**BODY, "messages": [filler, *BODY["messages"]]}

    status, out, trace = await curl(proxy, "--header", "Expect: 100-continue", body=body)

    assert status == 0
    assert "earlier messages 1" in said(out)
    assert trace.count("< HTTP/1.1 100 Continue") == 1
    assert len(vendor.seen[-1].body) > BIG


async def test_refused_body_is_not_asked_for(proxy):
    _, out, trace = await curl(
        proxy, "--header", "Expect: 100-continue", body={"x": "A" * BIG}, path="/nothing"
    )

    assert "100 Continue" not in trace
    assert json.loads(out)["error"]["code"] == "not_found"


async def test_http_1_0_gets_a_whole_answer_and_a_closed_connection(proxy):
    status, out, trace = await curl(proxy, "--http1.0")

    assert (status, said(out)) == (0, SHOWN)
    assert "transfer-encoding" not in trace.lower()


async def test_http_1_0_stream_ends_with_the_connection(proxy):
    status, out, trace = await curl(proxy, "--http1.0", body={**BODY, "stream": True})

    assert status == 0
    assert out.endswith("data: [DONE]\n\n")
    assert "transfer-encoding" not in trace.lower()


async def test_stream_arrives_event_by_event(proxy, vendor):
    released = asyncio.Event()
    vendor.play(Events(1), Stall(until=released), Rest())
    process = await start(proxy, "--no-buffer")
    process.stdin.write(json.dumps({**BODY, "stream": True}).encode())
    process.stdin.close()

    first = await asyncio.wait_for(process.stdout.readuntil(b"\n\n"), 10)
    released.set()
    rest = await asyncio.wait_for(process.stdout.read(), 10)

    assert b'"role":"assistant"' in first
    assert rest.endswith(b"data: [DONE]\n\n")
    assert await process.wait() == 0
    await process.stderr.read()


async def test_two_requests_share_a_connection(proxy):
    url = proxy.base_url + "/models"

    status, _, trace = await curl(proxy, "--request", "GET", url, path="/models")

    assert status == 0
    assert "Re-using existing connection" in trace


async def test_interrupted_curl_ends_the_call_to_the_vendor(proxy, vendor):
    vendor.play(Events(1), Stall(), Rest())
    process = await start(proxy, "--no-buffer")
    process.stdin.write(json.dumps({**BODY, "stream": True}).encode())
    process.stdin.close()
    await asyncio.wait_for(process.stdout.readuntil(b"\n\n"), 10)

    process.kill()

    await asyncio.wait_for(vendor.seen[-1].ended.wait(), 5)
    assert vendor.seen[-1].outcome == "abandoned"
    await process.communicate()


async def test_broken_stream_is_an_error_for_curl(proxy):
    ask = [{"role": "user", "content": "hi [[sim:cut after=2]]"}]
    status, out, _ = await curl(proxy, body={**BODY, "stream": True, "messages": ask})

    assert status != 0
    assert "[DONE]" not in out

"""The vendor's key is nowhere but on the way to the vendor.

Every proxy of the suite is searched when it stops (`tests/harness.py`). Here one runs as people run
it, gets all kinds of traffic, and everything that comes out of it is searched.
"""

import asyncio
import json

import aiohttp
import pytest

from tests.e2e.models import JACKETS
from tests.harness import CANARY, Registry, leaks, proxy_command, write_config
from tests.raw_client import RawApp, request
from tests.vendor_script import Cut, Say, ScriptedVendor, chunk, head, stream_head, whole

ASK = {"model": "recommender", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**ASK, "stream": True}
RESPONSE = {"model": "recommender", "input": "hi"}

ECHO = json.dumps({"error": {"message": f"Incorrect API key provided: {CANARY}."}}).encode()

# What vendors may do with a key that they were sent; none of it may reach the app.
ANSWERS = {
    "served": [Say(whole(b'{"id":"x","choices":[]}'))],
    "refused": [Say(whole(ECHO, status=401))],
    "forbidden": [Say(whole(ECHO, status=403))],
    "redirected": [Say(head(307, ("location", f"http://127.0.0.1:1/?key={CANARY}")))],
    "garbage": [Say(b"HTTP/9.9 " + CANARY.encode() + b"\r\n\r\n"), Cut()],
    "bad header": [Say(b"HTTP/1.1 200 OK\r\n" + CANARY.encode() + b"\x00\r\n\r\n"), Cut()],
    "echoed header": [Say(whole(b"{}", ("x-seen-authorization", f"Bearer {CANARY}")))],
    "cut": [Say(stream_head() + chunk(b"data: {}\n\n")), Cut()],
    "silent": [Cut()],
}

# What apps may send.
REQUESTS = {
    "chat": request(ASK),
    "stream": request(STREAM),
    "responses": request(RESPONSE, path="/v1/responses"),
    "unknown model": request({**ASK, "model": "nobody"}),
    "no json": request(b"{"),
    "bad framing": b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
    "unknown path": request(ASK, path="/v1/nothing"),
    "models": request(b"", method="GET", path="/v1/models"),
}
ADMIN_PATHS = ("/healthz", "/readyz", "/metrics", "/nothing")


async def prepared(directory, vendor_url):
    """Register and pin a model in `directory`; return the configuration of a proxy for it."""
    directory.mkdir()
    registry = Registry.in_directory(directory)
    await registry.register("recommender", JACKETS)
    await registry.pin("recommender", 1)
    await registry.store.close()
    return write_config(directory, vendor_url)


async def everything_said(address, raw):
    """Return every byte that comes back until the answer is over or the connection closes."""
    app = await RawApp.connect(address)
    try:
        await app.send(raw)
        answer = await app.answer()
        return repr(answer).encode() + answer.body
    finally:
        app.vanish()


async def admin_said(command):
    said = b""
    async with aiohttp.ClientSession(command.admin_url) as session:
        for path in ADMIN_PATHS:
            async with session.get(path) as answer:
                said += repr(answer.headers).encode() + await answer.read()
    return said


async def test_key_is_seen_by_the_vendor_alone(tmp_path):
    directory = tmp_path / "proxy"
    said = {}
    async with ScriptedVendor() as vendor:
        config = await prepared(directory, vendor.url)
        async with proxy_command(config) as command:
            for answer, script in ANSWERS.items():
                for name, raw in REQUESTS.items():
                    vendor.forget()
                    vendor.play(*script)
                    said[f"{name}, {answer}"] = await everything_said(command.address, raw)
            said["admin"] = await admin_said(command)
            said["command line"] = command.command_line()
            status = await command.stop()
        said |= {"stdout": bytes(command.out), "stderr": bytes(command.err)}

        assert status == 0
        assert {request.header("authorization") for request in vendor.requests} == {
            f"Bearer {CANARY}"
        }
    assert leaks(directory, said) == []
    assert said["stdout"].count(b'"request.finished"') == len(ANSWERS) * len(REQUESTS)


@pytest.mark.parametrize("place", ["text", "file"])
async def test_search_would_find_it(tmp_path, place):
    await asyncio.to_thread((tmp_path / "state").write_text, CANARY if place == "file" else "")
    texts = {"text": CANARY.encode() if place == "text" else b""}

    assert len(leaks(tmp_path, texts)) == 1

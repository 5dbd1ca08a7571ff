"""The openai SDK of today through a proxy that passes on what is not managed, and in a conversation
that stays on its version."""

import json

import pytest

from proxy.simvendor.server import SimulatedVendor
from tests.e2e.calls import QUESTION, client_of
from tests.e2e.models import HATS, JACKETS
from tests.harness import running_proxy
from tests.vendor_script import Say, ScriptedVendor, whole

PASSING = {"models": {"unmanaged": "passthrough"}}
CONTENT = bytes(range(256)) * 1000
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": len(CONTENT),
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "processed",
}


@pytest.fixture
async def through(tmp_path):
    """Return a vendor to be scripted, and a client of a proxy before it."""
    async with (
        ScriptedVendor() as vendor,
        running_proxy(tmp_path, vendor.url, {}, PASSING) as proxy,
        client_of(proxy) as client,
    ):
        yield vendor, client


async def test_a_file_is_uploaded_as_the_sdk_sends_it(through):
    vendor, client = through
    vendor.play(Say(whole(json.dumps(FILE).encode())))

    raw = await client.files.with_raw_response.create(file=("a.jsonl", CONTENT), purpose="batch")

    assert raw.parse().id == "file-1"
    assert raw.headers["x-proxy-version"] == "unversioned"
    (sent,) = vendor.requests
    assert sent.line == "POST /v1/files HTTP/1.1"
    assert CONTENT in sent.body
    assert sent.header("content-type").startswith("multipart/form-data; boundary=")


async def test_a_file_is_read_and_deleted(through):
    vendor, client = through
    vendor.play(Say(whole(CONTENT, ("content-type", "application/octet-stream"))))
    gone = {"id": "file-1", "object": "file", "deleted": True}
    vendor.play(Say(whole(json.dumps(gone).encode())))

    content = await client.files.content("file-1")
    deleted = await client.files.delete("file-1")

    assert (content.read(), deleted.deleted) == (CONTENT, True)
    assert [one.line for one in vendor.requests] == [
        "GET /v1/files/file-1/content HTTP/1.1",
        "DELETE /v1/files/file-1 HTTP/1.1",
    ]


async def test_a_conversation_stays_on_the_version_that_began_it(tmp_path):
    async with (
        SimulatedVendor() as vendor,
        running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}) as proxy,
        client_of(proxy) as client,
    ):
        ask = client.chat.completions.with_raw_response.create
        first = await ask(model="recommender", messages=QUESTION)
        stamp = first.headers["x-proxy-version"]
        await proxy.register("recommender", HATS)
        await proxy.pin("recommender", 2)

        headers = {"x-proxy-version": stamp}
        kept = await ask(model="recommender", messages=QUESTION, extra_headers=headers)
        fresh = await ask(model="recommender", messages=QUESTION)

    assert kept.headers["x-proxy-version"] == stamp
    assert fresh.headers["x-proxy-version"] == proxy.version("recommender", 2).id
    said = [one.parse().choices[0].message.content for one in (first, kept)]
    assert said[0] == said[1]

"""Calls about what a vendor keeps: by an id, without a model, and so without a version."""

import json

import pytest

from proxy.gateway.kept import kept_path, named_vendor
from proxy.http.head import Head
from tests.harness import CANARY
from tests.http.scene import ANSWER, ANSWERS, refused, scene_of
from tests.raw_client import request
from tests.vendor_script import LAST_CHUNK, Cut, Say, ScriptedVendor, chunk, stream_head

ID = "resp_68f0a1b2c3d4e5f60718293a4b5c6d7e"
CALLS = [
    ("GET", f"/v1/responses/{ID}"),
    ("GET", f"/v1/responses/{ID}?stream=true&starting_after=3"),
    ("DELETE", f"/v1/responses/{ID}"),
    ("POST", f"/v1/responses/{ID}/cancel"),
    ("GET", f"/v1/responses/{ID}/input_items?limit=5"),
    ("POST", "/v1/conversations"),
    ("GET", "/v1/conversations/conv_1"),
    ("POST", "/v1/conversations/conv_1"),
    ("DELETE", "/v1/conversations/conv_1"),
    ("POST", "/v1/conversations/conv_1/items"),
    ("GET", "/v1/conversations/conv_1/items?limit=2"),
    ("GET", "/v1/conversations/conv_1/items/msg_1"),
    ("DELETE", "/v1/conversations/conv_1/items/msg_1"),
]
UPSTREAM = "x-proxy-upstream: eu/gpt-4o;attempt=1"
TWO = {
    "openai": {"dialects": ["openai.chat", "openai.responses"]},
    "eu": {"base_url": "http://127.0.0.1:1", "dialects": ["openai.responses"]},
}


def head(method, path, **fields):
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return Head(method.encode(), path.encode(), "1.1", True, list(named.items()), named)


def about(method="GET", path=f"/v1/responses/{ID}", body="", *headers):
    raw = request(body, path=path, method=method)
    more = "".join(f"{line}\r\n" for line in headers).encode()
    return raw.replace(b"\r\n", b"\r\n" + more, 1)


# --- which calls they are


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("front", ["", "/openai"])
def test_calls_about_what_is_kept_are_known_in_every_spelling(method, path, front):
    assert kept_path(head(method, front + path)) == path.partition("?")[0].encode()


def test_azures_older_api_has_no_version_in_the_path():
    path = f"/openai/responses/{ID}/cancel"

    assert kept_path(head("POST", path)) == f"/v1/responses/{ID}/cancel".encode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses"),
        ("GET", "/v1/responses/"),
        ("GET", "/v1/responses/input_tokens"),
        ("DELETE", "/v1/responses/compact"),
        ("PUT", f"/v1/responses/{ID}"),
        ("GET", f"/v1/responses/{ID}/cancel"),
        ("POST", f"/v1/responses/{ID}/input_items"),
        ("GET", f"/v1/responses/{ID}/other"),
        ("GET", f"/v1/responses/{ID}%2Fcancel"),
        ("GET", "/v1/responses/.."),
        ("GET", "/v1/responses/a/../b"),
        ("GET", f"/responses/{ID}"),
        ("GET", f"/v1/v1/responses/{ID}"),
        ("GET", f"/openai/deployments/x/responses/{ID}"),
        ("GET", "/v1/responses/" + "x" * 257),
        ("GET", "/v1/conversations"),
        ("GET", "/v1/files/file-1"),
        ("GET", "/v1/chat/completions/chatcmpl-1"),
    ],
)
def test_other_calls_are_not(method, path):
    assert kept_path(head(method, path)) is None


@pytest.mark.parametrize(
    ("sent", "vendor"),
    [
        (b"eu/gpt-4o;attempt=1", "eu"),
        (b"eu;attempt=1", "eu"),
        (b" eu ", "eu"),
        (b"", ""),
        (b"\xff/x", "ÿ"),
    ],
)
def test_vendor_is_read_from_the_stamp_that_is_sent_back(sent, vendor):
    assert named_vendor(head("GET", "/", x_proxy_upstream=sent)) == vendor


# --- where they go


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_they_go_to_the_vendor_as_they_came_whatever_is_not_managed(scene, method, path):
    body = '{"metadata":{}}' if method == "POST" else ""

    answer = await scene.ask(about(method, path, body))

    (sent,) = scene.vendor.requests
    assert sent.line == f"{method} {path} HTTP/1.1"
    assert sent.body == body.encode()
    assert sent.header("authorization") == f"Bearer {CANARY}"
    assert (answer.status, answer.body) == (200, ANSWER)
    assert answer.header("x-proxy-version") == "unversioned"
    assert answer.header("x-proxy-upstream") == "openai;attempt=1"
    line = await scene.line()
    assert (line["version"], line["call"], line["unmanaged"]) == (
        None,
        f"{method} {path.partition('?')[0]}",
        True,
    )


async def test_stream_that_is_taken_up_again_comes_as_it_is(scene):
    events = [b'event: a\ndata: {"n":%d}\n\n' % number for number in range(3)]
    scene.vendor.forget()
    scene.vendor.play(Say(stream_head()), *(Say(chunk(one)) for one in events), Say(LAST_CHUNK))

    answer = await scene.ask(about(path=f"/v1/responses/{ID}?stream=true"))

    assert (answer.body, answer.ending) == (b"".join(events), "tidy")


async def test_stream_that_the_vendor_cuts_is_cut(scene):
    scene.vendor.forget()
    scene.vendor.play(Say(stream_head()), Say(chunk(b"event: a\n")), Cut())

    answer = await scene.ask(about(path=f"/v1/responses/{ID}?stream=true"))

    assert answer.ending in ("cut", "reset")


async def test_app_chooses_the_vendor_by_the_stamp_that_it_sends_back(tmp_path):
    async with ScriptedVendor(ANSWERS) as eu:
        vendors = {**TWO, "eu": {**TWO["eu"], "base_url": eu.url}}
        async with scene_of(tmp_path, overrides={"vendors": vendors}) as scene:
            sent_back = await scene.ask(about("GET", f"/v1/responses/{ID}", "", UPSTREAM))
            plain = await scene.ask(about())
            (sent,) = eu.requests

    assert sent_back.header("x-proxy-upstream") == "eu;attempt=1"
    assert plain.header("x-proxy-upstream") == "openai;attempt=1"
    assert sent.header("x-proxy-upstream") is None


@pytest.mark.vendor(overrides={"vendors": TWO})
@pytest.mark.parametrize("named", ["nobody", "", "http://evil.example/"])
async def test_vendor_that_there_is_not_is_the_first_one(scene, named):
    answer = await scene.ask(about("GET", f"/v1/responses/{ID}", "", f"x-proxy-upstream: {named}"))

    assert answer.header("x-proxy-upstream") == "openai;attempt=1"


@pytest.mark.vendor(overrides={"vendors": {"openai": {"dialects": ["openai.chat"]}}})
async def test_they_are_nowhere_if_no_vendor_keeps_responses(scene):
    assert refused(await scene.ask(about())) == (404, "not_found")


AZURE = {"path": "/openai/{call}", "query": {"api-version": "2025-04-01"}, "auth": "api-key"}


@pytest.mark.vendor(overrides={"vendors": {"openai": AZURE}})
@pytest.mark.parametrize("path", [f"/openai/responses/{ID}", f"/v1/responses/{ID}"])
async def test_they_are_called_as_the_vendor_has_it(scene, path):
    await scene.ask(about(path=f"{path}?api-version=1&limit=2"))

    (sent,) = scene.vendor.requests
    assert sent.line == f"GET /openai/responses/{ID}?limit=2&api-version=2025-04-01 HTTP/1.1"
    assert sent.header("api-key") == CANARY


async def test_a_response_is_made_managed_and_fetched_unversioned(scene):
    body = {"model": "recommender", "input": "hi", "background": True}

    made = await scene.ask(request(body, path="/v1/responses"))
    fetched = await scene.ask(about())

    assert made.header("x-proxy-version") == scene.proxy.version("recommender", 1).id
    assert fetched.header("x-proxy-version") == "unversioned"
    assert json.loads(scene.vendor.requests[0].body)["background"] is True

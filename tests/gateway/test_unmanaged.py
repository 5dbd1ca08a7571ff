"""Models that nobody registered: refused, or passed through and stamped as what they are."""

import json

import pytest

from tests.harness import CANARY
from tests.http.scene import ANSWER, ANSWERS, BODY, refused, scene_of
from tests.raw_client import request
from tests.vendor_script import ScriptedVendor

PASSING = {"models": {"unmanaged": "passthrough"}}


def asking(model, **more):
    return request({**BODY, "model": model, **more})


async def test_by_default_they_are_unknown(scene):
    assert refused(await scene.ask(asking("gpt-4o"))) == (404, "unknown_model")


async def test_a_request_that_names_no_model_is_told_so(scene):
    answer = await scene.ask(request({"messages": BODY["messages"]}))

    assert refused(answer) == (404, "unknown_model")
    assert "the request names no model" in answer.json["error"]["message"]


@pytest.mark.vendor(overrides=PASSING)
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "ft:gpt-4o:org::id", "org/model", "A"])
async def test_they_pass_through_as_they_are(scene, model):
    raw = asking(model, temperature=2, proxy_note="a")

    answer = await scene.ask(raw)

    assert answer.body == ANSWER
    assert scene.vendor.requests[0].body == raw.partition(b"\r\n\r\n")[2]
    assert scene.vendor.requests[0].header("authorization") == f"Bearer {CANARY}"


@pytest.mark.vendor(overrides=PASSING)
async def test_they_are_stamped_unversioned(scene):
    answer = await scene.ask(asking("gpt-4.1"))

    assert answer.header("x-proxy-version") == "unversioned"
    assert answer.header("x-proxy-digest") is None
    assert answer.header("x-proxy-upstream") == "openai/gpt-4.1;attempt=1"
    line = await scene.line()
    assert (line["version"], line["digest"], line["vendor_model"]) == (None, None, "gpt-4.1")
    assert (line["unmanaged"], line["label"]) == (True, None)


@pytest.mark.vendor(overrides=PASSING)
async def test_models_that_are_registered_are_managed_all_the_same(scene):
    await scene.ask(asking("recommender"))

    sent = json.loads(scene.vendor.requests[0].body)
    assert sent["model"] == "gpt-4o-2024-08-06"


@pytest.mark.vendor(overrides=PASSING)
@pytest.mark.parametrize(
    "model", ["a\r\nx-evil: 1", "a\nb", "a b", "\u00e9", "\0", "x" * 257, "x" * 512], ids=range(7)
)
async def test_name_that_would_not_fit_into_a_header_is_unknown(scene, model):
    answer = await scene.ask(asking(model))

    assert refused(answer) == (404, "unknown_model")
    assert answer.header("x-evil") is None
    assert scene.vendor.connections == []


@pytest.mark.vendor(overrides=PASSING)
async def test_request_without_a_model_is_for_the_vendor_to_refuse(scene):
    body = {"messages": BODY["messages"]}

    assert (await scene.ask(request(body))).header("x-proxy-version") == "unversioned"
    assert json.loads(scene.vendor.requests[0].body) == body


async def test_they_go_to_the_first_vendor_that_speaks_the_dialect(tmp_path):
    async with ScriptedVendor(ANSWERS) as chat:
        vendors = {
            "openai": {"dialects": ["openai.responses"]},
            "second": {"base_url": chat.url, "dialects": ["openai.chat"]},
            "third": {"base_url": "http://127.0.0.1:1"},
        }
        async with scene_of(tmp_path, overrides={**PASSING, "vendors": vendors}) as scene:
            answer = await scene.ask(asking("gpt-4o"))

        assert answer.header("x-proxy-upstream") == "second/gpt-4o;attempt=1"
        assert len(chat.requests) == 1


async def test_they_keep_the_shape_and_the_path_of_their_dialect(tmp_path):
    vendors = {"openai": {}, "claude": {"dialects": ["anthropic.messages"]}}
    path = "/v1/messages/count_tokens?beta=true"
    async with ScriptedVendor(ANSWERS) as claude:
        vendors["claude"]["base_url"] = claude.url
        async with scene_of(tmp_path, overrides={**PASSING, "vendors": vendors}) as scene:
            body = {"model": "claude-x", "messages": BODY["messages"]}
            answer = await scene.ask(request(body, path=path))
            (sent,) = claude.requests

    assert answer.header("x-proxy-upstream") == "claude/claude-x;attempt=1"
    assert sent.line == f"POST {path} HTTP/1.1"
    assert json.loads(sent.body) == body
    assert sent.header("anthropic-version") == "2023-06-01"

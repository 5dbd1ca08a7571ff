"""Requests that several targets share, and targets that cannot be asked at all."""

from contextlib import asynccontextmanager

import pytest

from tests.e2e.models import recommender
from tests.http.scene import ANSWER, BODY, refused, scene_of
from tests.raw_client import request
from tests.vendor_script import Cut, Say, ScriptedVendor, whole

FIRST = "openai/gpt-4o-2024-08-06"
OTHER = "other/gpt-4o-mini"
SHARE = '[[routing.targets]]\nvendor = "other"\nid = "gpt-4o-mini"\nweight = {}\n'
SPARE = '[[routing.fallback]]\nvendor = "other"\nid = "gpt-4o-mini"\n'
CHAT, RESPONSES = ["openai.chat"], ["openai.responses"]


def model(targets, rules=""):
    return {"recommender": recommender(more=f"[routing]\n{rules}\n{targets}")}


@asynccontextmanager
async def shared(directory, models, *, first=CHAT, other=CHAT, script=()):
    """Open a scene whose second vendor is called `other`; each speaks what is said."""
    async with ScriptedVendor(Say(whole(ANSWER))) as second:
        vendors = {"openai": {"dialects": first}, "other": {"dialects": other}}
        vendors["other"]["base_url"] = second.url
        overrides = {"vendors": vendors}
        async with scene_of(directory, *script, overrides=overrides, models=models) as scene:
            scene.other = second
            yield scene


async def upstream_of(scene):
    return (await scene.ask()).header("x-proxy-upstream")


async def test_requests_are_shared_between_the_targets(tmp_path):
    """That 200 fair draws all fall on one side happens once in 2^199 runs."""
    async with shared(tmp_path, model(SHARE.format(1))) as scene:
        seen = set()
        for _ in range(200):
            seen.add(await upstream_of(scene))
            if len(seen) == 2:
                break

        assert seen == {f"{FIRST};attempt=1", f"{OTHER};attempt=1"}
        lines = await scene.lines(len(scene.vendor.requests) + len(scene.other.requests))
        assert {line["vendor_model"] for line in lines} == {"gpt-4o-2024-08-06", "gpt-4o-mini"}
        assert b'"model":"gpt-4o-mini"' in scene.other.requests[0].body


STICKY = 'sticky = ["header:x-session-id", "user"]'


@pytest.mark.parametrize("by", ["header", "user"])
async def test_what_the_rules_name_keeps_its_target(tmp_path, by):
    """That 40 sessions all fall on one side happens once in 2^39 versions of this test."""

    def asking(session):
        if by == "user":
            return request({**BODY, "user": session})
        return request(BODY, headers=[("x-session-id", session)])

    async with shared(tmp_path, model(SHARE.format(1), STICKY)) as scene:
        seen = []
        for number in range(40):
            asked = asking(f"session-{number}")
            first, second = [await scene.ask(asked), await scene.ask(asked)]
            assert first.header("x-proxy-upstream") == second.header("x-proxy-upstream")
            seen.append(first.header("x-proxy-upstream"))

    assert set(seen) == {f"{FIRST};attempt=1", f"{OTHER};attempt=1"}
    assert not any(b"x-session-id" in sent.head for sent in scene.vendor.requests)


async def test_whose_target_cannot_be_asked_has_another_until_it_can(tmp_path):
    rules = f"{STICKY}\nattempts = 2"
    async with shared(tmp_path, model(SHARE.format(1), rules), first=RESPONSES) as scene:
        answers = [
            await scene.ask(request(BODY, headers=[("x-session-id", f"{number}")]))
            for number in range(5)
        ]

    assert {answer.header("x-proxy-upstream") for answer in answers} == {f"{OTHER};attempt=1"}


async def test_the_others_that_share_are_asked_when_one_fails(tmp_path):
    rules = 'attempts = 2\nretry_on = ["reset"]\nmay_bill_twice = true\nweight = 1000'

    async with shared(tmp_path, model(SHARE.format(1), rules), script=[Cut()]) as scene:
        seen = [await upstream_of(scene) for _ in range(3)]

        assert set(seen) <= {f"{OTHER};attempt=2", f"{OTHER};attempt=1"}


@pytest.mark.parametrize("targets", [SHARE.format(1), SPARE], ids=["shares", "fallback"])
async def test_target_that_does_not_speak_the_dialect_is_passed_over(tmp_path, targets):
    models = model(targets, "attempts = 3")

    async with shared(tmp_path, models, other=RESPONSES, script=[Cut()]) as scene:
        answer = await scene.ask()

        assert refused(answer) == (502, "upstream_unreachable")
        assert answer.header("x-proxy-upstream") == f"{FIRST};attempt=1"
        assert scene.other.connections == []


@pytest.mark.parametrize("targets", [SHARE.format(1), SPARE], ids=["shares", "fallback"])
async def test_another_answers_for_a_first_one_that_cannot(tmp_path, targets):
    async with shared(tmp_path, model(targets), first=RESPONSES) as scene:
        assert await upstream_of(scene) == f"{OTHER};attempt=1"


async def test_another_answers_for_one_that_is_not_configured(tmp_path):
    models = model(SPARE)
    text = models["recommender"]["version.toml"]
    models["recommender"]["version.toml"] = text.replace('"openai"', '"elsewhere"')

    async with shared(tmp_path, models) as scene:
        assert await upstream_of(scene) == f"{OTHER};attempt=1"


@pytest.mark.parametrize("targets", [SHARE.format(1), SPARE], ids=["shares", "fallback"])
async def test_dialect_that_no_target_speaks_is_refused(tmp_path, targets):
    async with shared(tmp_path, model(targets), first=RESPONSES, other=RESPONSES) as scene:
        answer = await scene.ask()

        assert refused(answer) == (400, "wrong_dialect")
        assert "not openai.chat" in answer.json["error"]["message"]


async def test_target_whose_key_is_missing_is_replaced(tmp_path):
    vendors = {"openai": {"api_key_env": None, "api_key_file": tmp_path / "none"}}
    async with ScriptedVendor(Say(whole(ANSWER))) as second:
        vendors["other"] = {"base_url": second.url}
        async with scene_of(
            tmp_path, overrides={"vendors": vendors}, models=model(SPARE, "attempts = 2")
        ) as scene:
            assert await upstream_of(scene) == f"{OTHER};attempt=2"
            assert scene.vendor.connections == []

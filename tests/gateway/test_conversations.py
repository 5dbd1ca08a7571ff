"""Conversations that go on with the version that began them, over real sockets."""

import hashlib

import pytest

from proxy.control.act import Act
from proxy.control.back import rollback
from proxy.control.confirm import Wait
from tests.e2e.models import recommender
from tests.harness import PATIENCE_S
from tests.http.scene import BODY, scene_of
from tests.raw_client import request

HATS = recommender("You sell hats.")


def turn(stamp, model="recommender", **more):
    """Return a request that sends back the stamp of an answer."""
    headers = [("x-proxy-version", stamp)] if stamp else []
    return request({**BODY, "model": model}, headers=headers, **more)


def stamp_of(answer):
    return answer.header("x-proxy-version")


async def begun(scene):
    """Begin a conversation on v1, then pin v2; return the stamp of the first answer."""
    stamp = stamp_of(await scene.ask(turn(None)))
    await scene.proxy.register("recommender", HATS)
    await scene.proxy.pin("recommender", 2)
    return stamp


async def test_a_conversation_stays_on_its_version_across_a_pin(scene):
    stamp = await begun(scene)

    answer = await scene.ask(turn(stamp))

    assert stamp_of(answer) == stamp
    before, sent = (one for one in scene.vendor.requests if one.line.startswith("POST"))
    assert sent.body == before.body
    assert sent.header("x-proxy-version") is None
    line = await scene.line(2)
    shown = {name: line[name] for name in ("version", "label", "epoch", "kept")}
    assert shown == {"version": stamp, "label": "prod", "epoch": None, "kept": True}


async def test_who_sends_no_stamp_gets_what_the_label_holds(scene):
    stamp = await begun(scene)

    assert stamp_of(await scene.ask(turn(None))) != stamp
    assert (await scene.line(2))["kept"] is None


async def test_a_rollback_ends_every_conversation_at_once(scene):
    first = await begun(scene)
    stamp = stamp_of(await scene.ask(turn(None)))
    act = Act(by="test", operation="rollback-1")
    await rollback(scene.proxy.store, "recommender", act, Wait(PATIENCE_S))

    answer = await scene.ask(turn(stamp))

    assert stamp_of(answer) == first
    assert (await scene.line(3))["kept"] is False


async def test_a_conversation_that_is_kept_is_not_counted_as_older(scene):
    stamp = await begun(scene)

    await scene.ask(turn(stamp))

    assert scene.proxy.running.gateway.older() == 0


@pytest.mark.parametrize("window", [{"keep_s": 0}, {"keep": {"recommender": 0}}])
async def test_a_window_of_nothing_keeps_no_conversation(tmp_path, window):
    async with scene_of(tmp_path, overrides={"models": window}) as scene:
        stamp = await begun(scene)

        assert stamp_of(await scene.ask(turn(stamp))) != stamp
        assert (await scene.line(2))["kept"] is False


async def test_a_window_of_its_own_goes_before_the_general_one(tmp_path):
    window = {"keep_s": 0, "keep": {"recommender": 60}}
    async with scene_of(tmp_path, overrides={"models": window}) as scene:
        stamp = await begun(scene)

        assert stamp_of(await scene.ask(turn(stamp))) == stamp


@pytest.mark.parametrize(
    "sent", ["unversioned", "ranker-v1-abcdef", "v1", "recommender", "\u00e9", "a" * 4000]
)
async def test_what_is_no_stamp_of_the_model_is_ignored(scene, sent):
    stamp = await begun(scene)

    answer = await scene.ask(turn(sent))

    assert (answer.status, stamp_of(answer) != stamp) == (200, True)
    assert (await scene.line(2))["kept"] is None


async def test_a_version_that_no_label_held_does_not_answer(scene):
    await begun(scene)
    v3 = await scene.proxy.register("recommender", recommender("You sell socks."))

    answer = await scene.ask(turn(v3.id))

    assert stamp_of(answer) == scene.proxy.version("recommender", 2).id
    assert (await scene.line(2))["kept"] is False


async def test_who_asks_for_a_version_gets_it_whatever_the_stamp(scene):
    stamp = await begun(scene)

    answer = await scene.ask(turn(stamp, model="recommender@v2"))

    assert stamp_of(answer) == scene.proxy.version("recommender", 2).id


async def test_an_app_needs_the_label_that_held_the_version(tmp_path):
    """Staging held it; this app is granted prod."""
    app = {"token_sha256": hashlib.sha256(b"sk-app-0000").hexdigest()}
    async with scene_of(tmp_path, overrides={"apps": {"web": app}}) as scene:
        await scene.proxy.register("recommender", HATS)
        await scene.proxy.pin("recommender", 2, "staging")
        await scene.proxy.pin("recommender", 1, "staging")
        stamp = scene.proxy.version("recommender", 2).id

        answer = await scene.ask(turn(stamp))

        assert stamp_of(answer) == scene.proxy.version("recommender", 1).id
        assert (await scene.line())["kept"] is False

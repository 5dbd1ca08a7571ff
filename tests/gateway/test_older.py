"""Requests that go on with the version they began with are counted, and seen by operators."""

import pytest

from proxy.control.status import status
from proxy.errors import NotPrepared
from tests.e2e.models import recommender
from tests.http.scene import ASK_STREAM, BODY, EVENT, scene_of, until
from tests.raw_client import request
from tests.vendor_script import Say, Stall, chunk, stream_head

ENDLESS = (Say(stream_head() + chunk(EVENT)), Stall())


async def test_a_stream_that_outlives_a_pin_is_counted_as_older(tmp_path):
    async with scene_of(tmp_path, *ENDLESS) as scene:
        gateway = scene.proxy.running.gateway
        await scene.proxy.register("recommender", recommender("You sell hats."))
        await scene.app.send(ASK_STREAM)
        await scene.app.read_some()
        assert gateway.older() == 0

        report = await scene.proxy.pin("recommender", 2)

        assert gateway.older() == 1
        assert report.confirmation.older == 1
        assert (await status(scene.proxy.store)).fleet[0].member.older == 1

        scene.app.vanish()
        await scene.nothing_in_flight()
        assert gateway.older() == 0


async def test_a_stream_of_an_explicit_version_is_not(tmp_path):
    ask = request({**BODY, "model": "recommender@v1", "stream": True})
    async with scene_of(tmp_path, *ENDLESS) as scene:
        await scene.proxy.register("recommender", recommender("You sell hats."))
        await scene.app.send(ask)
        await scene.app.read_some()

        await scene.proxy.pin("recommender", 2)

        assert scene.proxy.running.gateway.older() == 0


async def test_a_version_that_another_label_holds_is_not_older(tmp_path):
    async with scene_of(tmp_path, *ENDLESS) as scene:
        await scene.proxy.register("recommender", recommender("You sell hats."))
        await scene.proxy.pin("recommender", 1, "staging")
        await scene.app.send(ASK_STREAM)
        await scene.app.read_some()

        await scene.proxy.pin("recommender", 2)

        assert scene.proxy.running.gateway.older() == 0


async def test_a_proxy_without_the_versions_vendor_rejects_it(tmp_path):
    files = recommender("You sell hats.")
    files["version.toml"] = files["version.toml"].replace('"openai"', '"elsewhere"')
    async with scene_of(tmp_path) as scene:
        await until(lambda: scene.proxy.running.follower.reporter.leased)
        await scene.proxy.register("recommender", files)

        with pytest.raises(NotPrepared, match="unknown_vendor"):
            await scene.proxy.pin("recommender", 2)

        assert (await scene.ask()).header("x-proxy-version").startswith("recommender-v1-")

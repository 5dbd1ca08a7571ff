"""What is rehearsed on the label drill is for no app."""

import pytest

from proxy.settings import Settings
from tests.e2e.models import HATS
from tests.http.scene import BODY, refused, scene_of
from tests.raw_client import request

NO_VERSION = (404, "unknown_version")


@pytest.fixture
async def rehearsing(tmp_path):
    """Version 2 is on the label drill, and served by the proxy as far as the fleet knows."""
    async with scene_of(tmp_path) as scene:
        await scene.proxy.running.follower.reporter.reported()
        await scene.proxy.register("recommender", HATS)
        await scene.proxy.pin("recommender", 2, "drill")
        assert "recommender@drill" in scene.proxy.running.follower.snapshot.serving()
        yield scene


async def test_an_app_that_may_ask_for_everything_may_not_ask_for_that(rehearsing):
    answer = await rehearsing.ask(request({**BODY, "model": "recommender@drill"}))

    assert refused(answer) == NO_VERSION


async def test_neither_may_a_prompt_object(rehearsing):
    prompt = {"id": "recommender", "version": "drill"}
    asked = request({"input": "Hi", "prompt": prompt}, path="/v1/responses")

    assert refused(await rehearsing.ask(asked)) == NO_VERSION


async def test_it_is_as_if_it_held_nothing(rehearsing):
    answer = await rehearsing.ask(request({**BODY, "model": "nobody@drill"}))

    assert refused(answer) == (404, "unknown_model")


async def test_no_app_can_be_granted_it():
    app = {"token_sha256": "0" * 64, "labels": ["prod", "drill"]}

    with pytest.raises(ValueError, match="never served to apps"):
        Settings.model_validate({"apps": {"web": app}})

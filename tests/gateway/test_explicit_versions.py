"""Versions that are asked for by number: held, or fetched for that request alone."""

import pytest

from tests.e2e.models import HATS, JACKETS
from tests.http.scene import ANSWER, BODY, LIST, refused, scene_of
from tests.raw_client import request


def asking(model):
    return request({**BODY, "model": model})


@pytest.fixture
async def two(tmp_path):
    """Version 1 is in prod; version 2 is registered, and held by nobody."""
    async with scene_of(tmp_path) as scene:
        await scene.proxy.register("recommender", HATS)
        yield scene


@pytest.mark.parametrize("form", ["recommender@v{0.number}", "{0.id}", "recommender@{1}"])
@pytest.mark.parametrize("number", [1, 2])
async def test_version_is_served_whatever_is_pinned(two, form, number):
    version = two.proxy.version("recommender", number)
    short = version.id.removeprefix("recommender-")

    answer = await two.ask(asking(form.format(version, short)))

    assert (answer.body, answer.header("x-proxy-version")) == (ANSWER, version.id)
    assert answer.header("x-proxy-digest") == version.digest
    assert (b"hats" in two.vendor.requests[0].body) is (number == 2)


async def test_version_with_the_digits_of_another_is_unknown(two):
    other = two.proxy.version("recommender", 1).id.rpartition("-")[2]

    assert refused(await two.ask(asking(f"recommender-v2-{other}"))) == (404, "unknown_version")


async def test_version_that_is_not_registered_is_unknown(two):
    assert refused(await two.ask(asking("recommender@v3"))) == (404, "unknown_version")


async def test_version_is_fetched_once(two):
    for _ in range(2):
        await two.ask(asking("recommender@v2"))
    (two.proxy.directory / "store.db").rename(two.proxy.directory / "elsewhere.db")

    assert (await two.ask(asking("recommender@v2"))).body == ANSWER


async def test_without_store_and_last_known_good_nothing_is_served(tmp_path):
    overrides = {"store": {"url": "redis://127.0.0.1:1/0"}}

    async with scene_of(tmp_path, models={}, overrides=overrides) as scene:
        answers = [
            await scene.ask(asking(model)) for model in ("recommender", "recommender@v1", "nobody")
        ]
        listed = await scene.ask(LIST)

        assert {refused(answer) for answer in (*answers, listed)} == {(503, "store_unavailable")}
        assert scene.vendor.connections == []


async def test_model_that_is_registered_and_not_pinned_says_so(tmp_path):
    async with scene_of(tmp_path, models={"other": JACKETS}) as scene:
        await scene.proxy.register("recommender", JACKETS)
        await scene.proxy.pin("recommender", 1, "staging")

        answer = await scene.ask()

        assert refused(answer) == (503, "not_pinned")
        assert answer.header("retry-after") == "1"

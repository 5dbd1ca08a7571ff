"""`GET /v1/models`: what an app can ask for here."""

import pytest

from tests.e2e.models import JACKETS
from tests.http.scene import LIST, refused, scene_of
from tests.raw_client import request


def described(version):
    return {
        "id": version.model,
        "object": "model",
        "created": 0,
        "owned_by": "proxy",
        "type": "base",
        "capabilities": {},
        "version": version.id,
    }


def one(name):
    return request("", path=f"/v1/models/{name}", method="GET")


@pytest.fixture
async def two(tmp_path):
    models = {"recommender": JACKETS, "ranker": JACKETS}
    async with scene_of(tmp_path, models=models) as scene:
        yield scene


async def test_models_are_listed_by_name_with_their_versions(two):
    answer = await two.ask(LIST)

    versions = [two.proxy.version(name, 1) for name in ("ranker", "recommender")]
    assert answer.json == {"object": "list", "data": [described(one) for one in versions]}


async def test_model_that_is_not_pinned_to_prod_is_not_listed(two):
    await two.proxy.register("third", JACKETS)
    await two.proxy.pin("third", 1, "staging")

    assert len((await two.ask(LIST)).json["data"]) == 2


async def test_list_follows_the_pin(two):
    before = (await two.ask(LIST)).json["data"][1]["version"]
    await two.proxy.register("recommender", {**JACKETS, "system.md": "Other.\n"})
    await two.proxy.pin("recommender", 2)

    after = (await two.ask(LIST)).json["data"][1]["version"]

    assert (before, after) == tuple(two.proxy.version("recommender", n).id for n in (1, 2))


@pytest.mark.parametrize("name", ["recommender", "recommender@prod", "recommender%40prod"])
async def test_one_model_is_described(two, name):
    assert (await two.ask(one(name))).json == described(two.proxy.version("recommender", 1))


@pytest.mark.parametrize("name", ["nobody", "gpt-4o", "a/b", "%2e%2e", "recommender/", "Ranker"])
async def test_model_that_is_not_here_is_unknown(two, name):
    assert refused(await two.ask(one(name))) == (404, "unknown_model")


async def test_list_needs_no_vendor(two):
    await two.ask(LIST)

    assert two.vendor.connections == []


async def test_list_may_have_a_query_and_a_body(two):
    raw = request("c4n4ry", path="/v1/models?limit=5", method="GET")

    assert (await two.ask(raw)).json["object"] == "list"
    assert (await two.ask(LIST)).status == 200


async def test_list_keeps_the_connection(two):
    for _ in range(3):
        assert (await two.ask(LIST)).header("connection") is None

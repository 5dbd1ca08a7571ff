"""Vendors that speak OpenAI's dialects in their own way, and apps that were written for them."""

import json

import pytest

from tests.e2e.models import JACKETS
from tests.harness import CANARY
from tests.http.scene import BODY, refused, scene_of
from tests.raw_client import request

AZURE = {
    "path": "/openai/deployments/{model}/{call}",
    "query": {"api-version": "2025-04-01-preview"},
    "auth": "api-key",
}
MISTRAL = {"rename": {"max_completion_tokens": "max_tokens", "seed": "random_seed"}}
DEPLOYED = "/openai/deployments/recommender/chat/completions"


def speaking(**entry):
    return {"vendors": {"openai": entry}}


@pytest.mark.vendor(overrides=speaking(**AZURE))
async def test_azure_is_called_by_deployment_with_its_version_and_its_header(scene):
    answer = await scene.ask(request(BODY))

    (sent,) = scene.vendor.requests
    assert sent.line == (
        "POST /openai/deployments/gpt-4o-2024-08-06/chat/completions"
        "?api-version=2025-04-01-preview HTTP/1.1"
    )
    assert (sent.header("api-key"), sent.header("authorization")) == (CANARY, None)
    assert json.loads(sent.body)["model"] == "gpt-4o-2024-08-06"
    assert answer.header("x-proxy-upstream") == "openai/gpt-4o-2024-08-06;attempt=1"


@pytest.mark.vendor(overrides=speaking(**AZURE))
async def test_an_app_of_azure_reaches_azure_by_the_vendors_own_version(scene):
    path = f"{DEPLOYED}?api-version=2024-01-01&x=y"

    await scene.ask(request({**BODY, "model": "ignored"}, path=path))

    assert scene.vendor.requests[0].line == (
        "POST /openai/deployments/gpt-4o-2024-08-06/chat/completions"
        "?x=y&api-version=2025-04-01-preview HTTP/1.1"
    )


@pytest.mark.vendor(overrides=speaking(**MISTRAL))
async def test_a_vendor_gets_its_own_names_of_parameters(scene):
    answer = await scene.ask(request({**BODY, "max_completion_tokens": 7, "seed": 3}))

    sent = json.loads(scene.vendor.requests[0].body)
    pinned = {"max_completion_tokens", "seed", "max_tokens", "random_seed"} & sent.keys()
    assert pinned == {"max_tokens", "random_seed"}
    assert sent["random_seed"] == 3
    assert answer.status == 200


@pytest.mark.parametrize(
    "path", [DEPLOYED, "/openai/v1/chat/completions", f"{DEPLOYED}?api-version=1"]
)
async def test_apps_of_azure_and_groq_are_served_under_their_paths(scene, path):
    answer = await scene.ask(request(BODY, path=path))

    assert answer.header("x-proxy-version") == scene.proxy.version("recommender", 1).id
    sent = scene.vendor.requests[0]
    assert sent.line.split("?")[0].split(" ")[1] == "/v1/chat/completions"


@pytest.mark.parametrize("name", ["recommender%40v1", "recommender@prod"])
async def test_a_deployment_may_be_a_label_or_a_version(scene, name):
    path = f"/openai/deployments/{name}/chat/completions"

    answer = await scene.ask(request({**BODY, "model": "x"}, path=path))

    assert answer.header("x-proxy-version") == scene.proxy.version("recommender", 1).id


@pytest.mark.parametrize("name", ["nobody", "team%2Frecommender", "%00", "%ff", "a" * 300])
async def test_a_deployment_that_is_no_model_is_unknown(scene, name):
    path = f"/openai/deployments/{name}/chat/completions"

    answer = await scene.ask(request(BODY, path=path))

    assert answer.status in (400, 404)
    assert scene.vendor.requests == []


@pytest.mark.parametrize("path", ["/openai/models?api-version=1", "/openai/v1/models"])
async def test_models_are_listed_for_apps_of_azure_and_groq(scene, path):
    answer = await scene.ask(request("", path=path, method="GET"))

    assert [row["id"] for row in answer.json["data"]] == ["recommender"]


async def test_embeddings_of_a_deployment_are_embeddings(tmp_path):
    async with scene_of(tmp_path, models={"embedder": JACKETS}) as scene:
        body = {"model": "x", "input": "a"}
        path = "/openai/deployments/embedder/embeddings?api-version=1"
        await scene.ask(request(body, path=path))

        sent = scene.vendor.requests[0]

    assert sent.line.startswith("POST /v1/embeddings?")
    assert json.loads(sent.body) == {"model": "gpt-4o-2024-08-06", "input": "a"}


async def test_what_azure_refuses_to_get_is_refused_here(scene):
    answer = await scene.ask(request("", path=DEPLOYED, method="GET"))

    assert refused(answer) == (405, "method_not_allowed")
    assert answer.header("allow") == "POST"

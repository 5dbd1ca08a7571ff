"""Three generations of the openai SDK, each in an environment of its own, see the same proxy."""

import asyncio
import json

import pytest

from tests.e2e.environments import HERE, python_of
from tests.e2e.models import SHOWN

GENERATIONS = ("openai-1.109.1", "openai-2.54.0")


@pytest.fixture(scope="module", params=GENERATIONS)
def interpreter(request, repository):
    return python_of(repository, request.param)


@pytest.fixture
async def facts(interpreter, proxy):
    """Return what the driver found, by name of the fact."""
    process = await asyncio.create_subprocess_exec(
        interpreter,
        HERE / "drive.py",
        proxy.base_url,
        env={"APP_KEY": "sk-app-0000", "NO_PROXY": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return json.loads(out)


async def test_every_generation_sees_the_same(facts, proxy):
    stamp = proxy.version("recommender", 1).id
    dry = SHOWN.replace("friendly", "dry")

    results = {name: fact["result"] for name, fact in facts.items() if "result" in fact}

    assert results == {
        "text": SHOWN,
        "headers": [stamp, SHOWN],
        "stream": [stamp, SHOWN],
        "usage": results["usage"],
        "tool_call": "search_catalogue",
        "structured": 0.5,
        "responses": SHOWN,
        "responses_stream": ["response.created", "response.completed", SHOWN],
        "prompt": dry,
        "embedded": 1536,
        "models": ["recommender", "strict"],
    }
    assert len(results["usage"]) == 1
    refused = facts["unknown_model"]
    assert (refused["error"][0], refused["code"]) == ("NotFoundError", "unknown_model")
    assert facts["vendor_refuses"]["error"][0] == "RateLimitError"
    assert "error" in facts["broken_stream"]

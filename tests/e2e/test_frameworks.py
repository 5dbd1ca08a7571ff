"""OpenAI's SDK for Node, Mistral's SDK, LangChain and pydantic-ai see a vendor in the proxy.

Each is run once, in an environment of its own; Mistral's in an older generation too.
"""

import pytest

from tests.e2e.drivers import facts, results
from tests.e2e.environments import HERE, node_of, python_of
from tests.e2e.models import JACKETS, SHOWN
from tests.harness import running_proxy

QUESTION = "What should I wear?"
TOLD = "The tool said: three jackets"
SPOKEN = ["openai.chat", "openai.responses", "openai.embeddings", "openai.completions"]


@pytest.fixture
async def proxy(tmp_path, vendor):
    overrides = {"vendors": {"openai": {"dialects": SPOKEN}}}
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}, overrides) as running:
        yield running


@pytest.fixture(scope="module")
def interpreter(repository):
    return python_of(repository, "frameworks")


async def test_node_sees_what_python_sees(proxy, repository):
    folder = node_of(repository, "openai-js")

    found = await facts(proxy.url, "node", "drive.mjs", cwd=folder)

    stamp = proxy.version("recommender", 1).id
    assert results(found) == {
        "text": SHOWN,
        "headers": [stamp, SHOWN],
        "stream": [stamp, SHOWN],
        "stream_helper": SHOWN,
        "tool_call": "search_catalogue",
        "structured": 0.5,
        "responses": SHOWN,
        "responses_stream": SHOWN,
        "background": [["queued", "in_progress", "completed"], SHOWN],
        "embedded": 1536,
        "completed": True,
        "azure": SHOWN,
        "models": ["recommender"],
    }
    unknown = {"error": "NotFoundError", "code": "unknown_model", "status": 404}
    assert found["unknown_model"] == unknown
    assert found["vendor_refuses"]["error"] == "RateLimitError"
    assert found["broken_stream"]["error"] == "APIError"


@pytest.mark.parametrize(
    ("environment", "broken"),
    [("frameworks", "ResponseValidationError"), ("mistralai-1.12.4", "ValidationError")],
)
async def test_mistrals_sdk_sees_a_vendor(proxy, repository, environment, broken):
    interpreter = python_of(repository, environment)

    found = await facts(proxy.url, interpreter, HERE / "drive_mistral.py")

    stamp = proxy.version("recommender", 1).id
    assert found.pop("stamps") == [stamp]
    assert results(found) == {
        "text": ["gpt-4o-2024-08-06", SHOWN],
        "stream": [stamp, SHOWN],
        "tool_call": "search_catalogue",
        "structured": 0.5,
        "limited": "length",
        "models": ["recommender"],
    }
    unknown = {"error": "SDKError", "status": 404, "code": "unknown_model"}
    assert found["unknown_model"] == unknown
    assert (found["vendor_refuses"]["error"], found["vendor_refuses"]["status"]) == (
        "SDKError",
        429,
    )
    assert found["broken_stream"]["error"] == broken


async def test_langchain_sees_a_vendor(proxy, interpreter):
    found = await facts(proxy.url, interpreter, HERE / "drive_langchain.py")

    stamp = proxy.version("recommender", 1).id
    assert results(found) == {
        "text": [stamp, SHOWN],
        "stream": [stamp, SHOWN],
        "tools": ["search_catalogue", TOLD],
        "structured": 0.5,
        "responses": SHOWN,
        "embedded": 1536,
    }
    assert "NotFoundError" in found["unknown_model"]["error"]
    assert found["unknown_model"]["code"] == "unknown_model"
    assert "RateLimitError" in found["vendor_refuses"]["error"]
    assert found["broken_stream"]["code"] == "upstream_unreachable"


async def test_pydantic_ai_sees_a_vendor(proxy, interpreter):
    found = await facts(proxy.url, interpreter, HERE / "drive_pydantic_ai.py")

    assert found.pop("stamps") == [proxy.version("recommender", 1).id]
    assert results(found) == {
        "text": SHOWN,
        "stream": [SHOWN, True],
        "tools": [1, TOLD],
        "structured": 0.5,
        "responses": SHOWN,
    }
    assert found["unknown_model"] == {"error": "ModelNotFoundError", "status": 404}
    assert found["vendor_refuses"] == {"error": "ModelRateLimitError", "status": 429}
    assert found["broken_stream"]["error"] == "ModelAPIError"


def elsewhere(vendor, id):
    """Return a model of another dialect's vendor that lets apps bring their tools."""
    text = f"""
[model]
vendor = "{vendor}"
id = "{id}"
[generation]
max_output_tokens = 300
[policy]
tools = "extend"
"""
    return {"version.toml": text, "system.md": "You recommend jackets.\n"}


@pytest.fixture
async def elsewhere_proxy(tmp_path, vendor):
    names = {"claude": "anthropic.messages", "gemini": "gemini.generate"}
    vendors = {name: {"base_url": vendor.url, "dialects": [one]} for name, one in names.items()}
    models = {name: elsewhere(name, f"{name}-9") for name in names}
    async with running_proxy(tmp_path, vendor.url, models, {"vendors": vendors}) as running:
        yield running


async def test_frameworks_see_anthropic_and_google_too(elsewhere_proxy, interpreter):
    found = await facts(elsewhere_proxy.url, interpreter, HERE / "drive_frameworks.py")

    told = {"LangChain": "search_catalogue", "PydanticAI": "three jackets"}
    for name, outcome in found.items():
        framework, model, fact = name.split("_", 2)
        if fact in ("text", "stream"):
            assert outcome["result"].startswith(f"[{model}-9"), name
            assert outcome["result"].endswith(f"jackets.] You asked: {QUESTION}"), name
        elif fact == "tools":
            assert told[framework] in outcome["result"], name
        elif fact == "structured":
            assert isinstance(outcome["result"], float), name
        else:
            assert outcome["told"] is True, name
    assert len(found) == 20

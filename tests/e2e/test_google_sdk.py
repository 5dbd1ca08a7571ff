"""The google-genai SDKs: what is pinned answers, says so, and fails as their own exceptions.

They bring more packages with them than all else that the tests need, so each is installed in an
environment of its own, also the one of today. A driver calls everything once; each test looks at
one thing that it found. The generation before speaks another version of the API.
"""

import asyncio
import json
import os

import pytest
import pytest_asyncio

from proxy.simvendor.server import SimulatedVendor
from tests.e2e.environments import HERE, node_of, python_of
from tests.e2e.models import TOOLS
from tests.harness import running_proxy

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY, BEFORE, NODE = "google-genai-3.4.0", "google-genai-1.75.0", "google-genai-js"
PATIENCE_S = 90
VENDOR_MODEL = "gemini-3.5-pro-2026-07-09"


def gemini(system="You recommend jackets.", more="", generation="max_output_tokens = 300"):
    """A model of Google's, with a system prompt, a tool and a limit."""
    return {
        "version.toml": f"""
[model]
vendor = "gemini"
id = "{VENDOR_MODEL}"
[generation]
{generation}
[variables.tone]
default = "friendly"
{more}
""",
        "system.md": system + " Be {{tone}}.\n",
        "tools.json": TOOLS,
    }


STRICT = gemini(more='[policy]\nsystem = "reject"\ngeneration = "reject"\ntools = "reject"\n')
# Lets an app bring its own tools and parameters beside the version's.
OPEN = gemini(more='[policy]\nsystem = "append"\ntools = "extend"\ngeneration = "default"\n')
EMBEDDER = {
    "version.toml": f"""
[model]
vendor = "gemini"
id = "{VENDOR_MODEL}"
[generation.extra."gemini.generate"]
outputDimensionality = 8
"""
}
MODELS = {"recommender": gemini(), "strict": STRICT, "open": OPEN, "embedder": EMBEDDER}

SHOWN = (
    f"[{VENDOR_MODEL} | maxOutputTokens 300 | tools search_catalogue"
    " | system: You recommend jackets. Be friendly.] You asked: What should I wear?"
)

every_generation = pytest.mark.parametrize("found", [TODAY, BEFORE], indirect=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor():
    async with SimulatedVendor(record=200) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(tmp_path_factory, vendor):
    vendors = {"gemini": {"dialects": ["gemini.generate"]}}
    directory = tmp_path_factory.mktemp("google")
    async with running_proxy(directory, vendor.url, MODELS, {"vendors": vendors}) as running:
        yield running


async def facts(proxy, *command, cwd=None):
    """Run a driver; return what it found, by name of the fact."""
    process = await asyncio.create_subprocess_exec(
        *command,
        proxy.url,
        env={
            "APP_KEY": "AIza-app-0000",
            "NO_PROXY": "127.0.0.1",
            "PATH": os.environ["PATH"],
            "PYTHONWARNINGS": "ignore",
        },
        stdout=asyncio.subprocess.PIPE,
        cwd=cwd,
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return json.loads(out)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drivers(proxy, repository):
    """Run each driver when it is first asked for."""
    ran = {}

    async def run_of(name):
        if name not in ran:
            interpreter = await asyncio.to_thread(python_of, repository, name)
            ran[name] = await facts(proxy, interpreter, HERE / "drive_google.py")
        return ran[name]

    return run_of


@pytest_asyncio.fixture(loop_scope="module")
async def found(request, drivers):
    return await drivers(request.param)


def result(found, fact):
    assert "result" in found[fact], found[fact]
    return found[fact]["result"]


def stamp(proxy, model="recommender"):
    return proxy.version(model, 1).id


@every_generation
async def test_answer_is_made_by_the_pinned_version(found):
    assert [result(found, fact) for fact in ("text", "label", "asynchronous")] == [SHOWN] * 3


@every_generation
async def test_the_response_carries_the_stamp_and_what_was_dropped(found, proxy):
    version, dropped, text = result(found, "headers")

    assert (version, text) == (stamp(proxy), SHOWN)
    assert dropped == "systemInstruction,generationConfig.maxOutputTokens"


@every_generation
async def test_stream_carries_the_stamp_in_every_chunk_and_the_whole_text(found, proxy):
    assert result(found, "stream") == [stamp(proxy), SHOWN, True]


@every_generation
async def test_chat_streams_and_keeps_the_conversation(found):
    assert result(found, "chat") == [SHOWN, True]


@every_generation
async def test_model_and_usage_are_those_of_the_vendor(found):
    assert result(found, "usage") == [VENDOR_MODEL, True]


@every_generation
async def test_a_tool_of_the_version_is_called(found):
    assert result(found, "tool_call") == ["search_catalogue"]


@every_generation
async def test_the_sdk_runs_the_apps_own_tool_and_goes_on(found):
    told = result(found, "own_tool")

    assert "tools search_catalogue, get_order_status" in told
    assert told.endswith('The tool said: {"result":{"state":"sent simulated"}}')


@every_generation
async def test_structured_output_is_parsed(found):
    assert result(found, "structured") == ["Order", True]


@every_generation
async def test_variable_of_the_app_reaches_the_prompt(found):
    assert "Be dry.]" in result(found, "variables")


@every_generation
async def test_tokens_are_counted_as_the_call_is_composed(found):
    assert result(found, "count") is True


@every_generation
async def test_embeddings_are_those_of_the_version(found):
    assert result(found, "embeddings") == [8, 8]


@every_generation
async def test_models_list_what_is_pinned(found, proxy):
    assert result(found, "models") == [f"models/{name}" for name in sorted(MODELS)]
    assert result(found, "model") == stamp(proxy)


@every_generation
async def test_apps_of_vertex_are_answered_too(found):
    assert result(found, "on_vertex") == [SHOWN, True]


ERRORS = {
    "unknown_model": ("ClientError", 404, "unknown_model"),
    "override": ("ClientError", 400, "override_rejected"),
    "vendor_refuses": ("ClientError", 429, None),
    "vendor_fails": ("ServerError", 503, None),
    "failing_stream": ("ServerError", 503, None),
}


@every_generation
@pytest.mark.parametrize("fact", ERRORS)
async def test_what_goes_wrong_raises_as_the_sdks_own_exceptions(found, fact):
    error = found[fact]

    assert (error["error"][0], error["status"], error["reason"]) == ERRORS[fact]


@every_generation
async def test_broken_vendor_never_looks_like_a_tidy_end(found):
    assert found["broken_stream"]["error"][0] == "ServerError"
    assert (found["broken_stream"]["status"], found["broken_stream"]["reason"]) == (
        502,
        "upstream_unreachable",
    )


async def test_each_generation_speaks_its_own_version_of_the_api(drivers, vendor):
    await drivers(TODAY)
    await drivers(BEFORE)

    paths = {seen.path.partition("?")[0].split("/models/")[0] for seen in vendor.seen}
    assert {"/v1", "/v1beta", "/v1beta1/publishers/google"} <= paths


async def test_no_key_of_an_app_reaches_the_vendor(drivers, vendor):
    await drivers(TODAY)

    keys = {value for seen in vendor.seen for _, value in seen.headers}
    assert "AIza-app-0000" not in keys


async def test_node_sees_the_same(proxy, repository):
    folder = await asyncio.to_thread(node_of, repository, NODE)
    found = await facts(proxy, "node", "drive.mjs", cwd=folder)

    results = {name: fact["result"] for name, fact in found.items() if "result" in fact}
    assert results == {
        "text": SHOWN,
        "headers": [stamp(proxy), SHOWN],
        "stream": SHOWN,
        "chat": SHOWN,
        "tool_call": "search_catalogue",
        "structured": ["order_id"],
        "count": True,
        "embeddings": [8, 8],
        "models": [f"models/{name}" for name in sorted(MODELS)],
    }
    assert found["unknown_model"] == {"error": "ApiError", "status": 404}
    assert found["vendor_refuses"] == {"error": "ApiError", "status": 429}
    assert "error" in found["broken_stream"]

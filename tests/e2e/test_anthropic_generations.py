"""Older generations of the anthropic SDK, and the one for Node, see the same proxy.

Python's 0.x and 1.x speak an older version of the API than those of today, with the key in another
header. Each is installed in an environment of its own.
"""

import asyncio
import json

import pytest

from tests.e2e.anthropic_calls import MODELS, SHOWN, claude_proxy
from tests.e2e.environments import HERE, node_of, python_of

GENERATIONS = ("anthropic-0.125.0", "anthropic-1.17.0")
NODE = "anthropic-js"

WARM = SHOWN.replace(" | max_tokens", " | temperature 0.2 | max_tokens")
PINNED = ["open", "recommender", "strict", "warm"]


@pytest.fixture
async def proxy(tmp_path, vendor):
    async with claude_proxy(tmp_path, vendor.url, MODELS) as running:
        yield running


@pytest.fixture(scope="module", params=GENERATIONS)
def interpreter(request, repository):
    return python_of(repository, request.param)


@pytest.fixture(scope="module")
def node(repository):
    return node_of(repository, NODE)


async def facts(proxy, *command, cwd=None):
    """Run a driver; return what it found, by name of the fact."""
    process = await asyncio.create_subprocess_exec(
        *command,
        proxy.url,
        env={"APP_KEY": "sk-app-0000", "NO_PROXY": "127.0.0.1", "PATH": "/usr/local/bin:/usr/bin"},
        stdout=asyncio.subprocess.PIPE,
        cwd=cwd,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return json.loads(out)


async def test_every_generation_sees_the_same(proxy, interpreter, vendor):
    found = await facts(proxy, interpreter, HERE / "drive_anthropic.py")

    stamp = proxy.version("recommender", 1).id
    results = {name: fact["result"] for name, fact in found.items() if "result" in fact}
    assert results == {
        "text": SHOWN,
        "sampled": WARM,
        "headers": [stamp, ["max_tokens", "system"], SHOWN],
        "stream": [stamp, SHOWN],
        "stream_helper": SHOWN,
        "beta": SHOWN,
        "tool_call": "search_catalogue",
        "count": True,
        "models": PINNED,
    }
    assert found["unknown_model"] == {**found["unknown_model"], "status": 404}
    assert found["unknown_model"]["error"][0] == "NotFoundError"
    assert found["vendor_refuses"]["error"][0] == "RateLimitError"
    assert found["vendor_overloaded"]["status"] == 529
    assert "APIStatusError" in found["broken_stream"]["error"]
    paths = {seen.path for seen in vendor.seen}
    assert "/v1/messages?beta=true" in paths


async def test_node_sees_the_same(proxy, node):
    found = await facts(proxy, "node", "drive.mjs", cwd=node)

    stamp = proxy.version("recommender", 1).id
    results = {name: fact["result"] for name, fact in found.items() if "result" in fact}
    assert results == {
        "text": SHOWN,
        "headers": [stamp, SHOWN],
        "stream": [stamp, SHOWN],
        "stream_helper": SHOWN,
        "tool_call": "search_catalogue",
        "count": True,
        "models": PINNED,
    }
    assert found["unknown_model"] == {"error": "NotFoundError", "status": 404}
    assert found["sampled"] == {"error": "BadRequestError", "status": 400}
    assert found["vendor_refuses"] == {"error": "RateLimitError", "status": 429}
    assert "error" in found["broken_stream"]

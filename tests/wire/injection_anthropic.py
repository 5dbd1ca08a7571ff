"""What a vendor of the Messages API must receive, worked out from the rules."""

from __future__ import annotations

import json

from tests.wire.injection import LIMIT, PARAMETERS, SHOTS, SYSTEM, Expected, Injected, Mixed
from tests.wire.spelled import elements, members

VENDOR_MODEL = "claude-opus-5-5"
BETA = "context-1m-2025-08-07"

_MODEL = f"""
[model]
vendor = "anthropic"
id = "{VENDOR_MODEL}"
"""

THIN_FILES = {"version.toml": f'{_MODEL}[policy]\nsystem = "append"\n'}

# No temperature: half of the recorded apps speak a version of the API that refuses it.
FULL_FILES = {
    "version.toml": f"""{_MODEL}
[generation]
max_output_tokens = {LIMIT}
[generation.extra."anthropic.messages"]
betas = ["{BETA}"]
""",
    "system.md": SYSTEM + "\n",
    "tools.json": json.dumps(
        [{"name": "search_catalogue", "description": "Search.", "parameters": PARAMETERS}]
    ),
    "messages.json": json.dumps([{"role": role, "content": text} for role, text in SHOTS]),
}

TOOL = {"name": "search_catalogue", "description": "Search.", "input_schema": PARAMETERS}


def thin(path: str, body: str) -> Expected:
    """A version that sets nothing but the vendor's model, and keeps the app's system prompt."""
    return {**dict(members(body)), "model": Injected(VENDOR_MODEL)}


def full(path: str, body: str) -> Expected:
    """A version that sets system prompt, few-shot messages, tools and the limit."""
    sent = dict(members(body))
    choice = json.loads(sent.get("tool_choice", "{}"))
    dropped = {"max_tokens", "system", "tools"} | ({"tool_choice"} if "name" in choice else set())
    expected: Expected = {name: value for name, value in sent.items() if name not in dropped}
    expected["model"] = Injected(VENDOR_MODEL)
    if not path.endswith("/count_tokens"):
        expected["max_tokens"] = Injected(LIMIT)
    spelled = elements(sent["messages"])
    others = [item for item in spelled if json.loads(item)["role"] != "system"]
    if json.loads(sent.get("thread", "{}")).get("type") == "continue":
        return {**expected, "messages": Injected(Mixed([*others]))}
    shots = [Injected({"role": role, "content": text}) for role, text in SHOTS]
    expected["messages"] = Injected(Mixed([*shots, *others]))
    return {**expected, "system": Injected(SYSTEM), "tools": Injected([TOOL])}

"""What a vendor of Gemini's API must receive, worked out from the rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.wire.injection import (
    LIMIT,
    PARAMETERS,
    SHOTS,
    SYSTEM,
    TEMPERATURE,
    Expected,
    Injected,
    Mixed,
)
from tests.wire.spelled import elements, members

VENDOR_MODEL = "gemini-3.5-pro"

_MODEL = f"""
[model]
vendor = "gemini"
id = "{VENDOR_MODEL}"
"""

THIN_FILES = {"version.toml": f'{_MODEL}[policy]\nsystem = "append"\n'}

FULL_FILES = {
    "version.toml": f"""{_MODEL}
[generation]
temperature = {TEMPERATURE}
max_output_tokens = {LIMIT}
""",
    "system.md": SYSTEM + "\n",
    "tools.json": json.dumps(
        [{"name": "search_catalogue", "description": "Search.", "parameters": PARAMETERS}]
    ),
    "messages.json": json.dumps([{"role": role, "content": text} for role, text in SHOTS]),
}

TOOLS = [
    {
        "functionDeclarations": [
            {
                "name": "search_catalogue",
                "description": "Search.",
                "parametersJsonSchema": PARAMETERS,
            }
        ]
    }
]


@dataclass(frozen=True, slots=True)
class Members:
    """An object as the app spelled it, but for their order and the blanks between."""

    spelled: Any

    def equals(self, spelled: str) -> bool:
        return sorted(members(spelled)) == sorted(members(self.spelled))


_ROLES = {"user": "user", "assistant": "model"}
_SHOTS = [{"role": _ROLES[role], "parts": [{"text": text}]} for role, text in SHOTS]


def thin(path: str, body: str) -> Expected:
    """A version that sets nothing but the vendor's model, and keeps the app's system prompt."""
    if _embeds(path):
        return _embedding(body)
    sent: Expected = {**dict(members(body))}
    # Taken apart by the proxy: what is in there is as it was, the blanks between are not.
    apart = {
        name: Members(sent[name]) for name in ("generationConfig", "toolConfig") if name in sent
    }
    return {**sent, **{name: Injected(value) for name, value in apart.items()}}


def full(path: str, body: str) -> Expected:
    """A version that sets system prompt, few-shot messages, tools and two parameters."""
    if _embeds(path):
        return _embedding(body)
    sent = dict(members(body))
    others = elements(sent.pop("contents"))
    config = {**json.loads(sent.pop("generationConfig", "{}")), **_CONFIG}
    ours: Expected = {
        "systemInstruction": Injected({"parts": [{"text": SYSTEM}]}),
        "tools": Injected(TOOLS),
        "contents": Injected(Mixed([*map(Injected, _SHOTS), *others])),
        "generationConfig": Injected(config),
    }
    if path.endswith(":countTokens"):
        return {"generateContentRequest": Injected(_wrapped(others, config))}
    choice = json.loads(sent.get("toolConfig", "{}")).get("functionCallingConfig", {})
    if "allowedFunctionNames" in choice:
        # It goes with the app's functions, which it names.
        ours["toolConfig"] = Injected({})
    return {**sent, **ours}


_CONFIG = {"temperature": TEMPERATURE, "maxOutputTokens": LIMIT}


def _embeds(path: str) -> bool:
    return path.endswith(":batchEmbedContents")


def _embedding(body: str) -> Expected:
    requests = json.loads(body)["requests"]
    named = [{**one, "model": f"models/{VENDOR_MODEL}"} for one in requests]
    return {"requests": Injected(named)}


def _wrapped(others: list[str], config: Any) -> dict[str, Any]:
    return {
        "model": f"models/{VENDOR_MODEL}",
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "tools": TOOLS,
        "contents": [*_SHOTS, *map(json.loads, others)],
        "generationConfig": config,
    }

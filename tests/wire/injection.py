"""What the vendor must receive, worked out from the rules and not from the proxy's code.

A value is either spelled as the app spelled it (`str`), or injected (`Injected`, compared as
JSON). Whatever is not listed here must not be sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.wire.spelled import elements, members


@dataclass(frozen=True, slots=True)
class Injected:
    value: Any


Expected = dict[str, str | Injected]

VENDOR_MODEL = "gpt-5.6-2026-07-09"
SYSTEM = 'You recommend jackets. Ünïcode, "quotes" and\nlines.'
SHOTS = (("user", "Is it cold?"), ("assistant", "Bring a coat."))
PARAMETERS = {"type": "object", "properties": {"query": {"type": "string"}}}

TEMPERATURE = 0.2
LIMIT = 300

THIN_FILES = {
    "version.toml": f"""
[model]
vendor = "openai"
id = "{VENDOR_MODEL}"
[policy]
system = "append"
""",
}

FULL_FILES = {
    "version.toml": f"""
[model]
vendor = "openai"
id = "{VENDOR_MODEL}"
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

# Where of the full version no more goes out than this.
PLAIN: dict[str, Expected] = {
    "/v1/embeddings": {},
    "/v1/completions": {"temperature": Injected(TEMPERATURE), "max_tokens": Injected(LIMIT)},
}
SYSTEM_ROLES = ("system", "developer")
LIMITS = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
TOOLS = {"tools", "functions", "function_call"}


def thin(path: str, body: str) -> Expected:
    """A version that sets nothing but the vendor's model, and keeps the app's system prompt."""
    sent = dict(members(body))
    expected: Expected = {**sent, "model": Injected(VENDOR_MODEL)}
    if path in PLAIN:
        return expected
    expected.pop("prompt", None)
    theirs, others = _sorted(sent.get(_list_name(path)))
    if theirs:
        expected |= _system(path, "\n\n".join([*_instructions(sent), *theirs]), others)
    return expected


def full(path: str, body: str) -> Expected:
    """A version that sets system prompt, few-shot messages, tools and two parameters."""
    sent = dict(members(body))
    if path in PLAIN:
        return {**sent, "model": Injected(VENDOR_MODEL)} | PLAIN[path]
    dropped = {"temperature", "prompt", *LIMITS, *TOOLS, *_stray_choice(sent)}
    expected: Expected = {k: v for k, v in sent.items() if k not in dropped}
    chat = path.endswith("completions")
    expected["model"] = Injected(VENDOR_MODEL)
    expected["temperature"] = Injected(TEMPERATURE)
    expected["max_completion_tokens" if chat else "max_output_tokens"] = Injected(LIMIT)
    expected["tools"] = Injected([_chat_tool() if chat else _flat_tool()])
    if path.startswith("/v1/responses/"):
        return _beside(path, sent, expected)
    if "previous_response_id" in sent or "conversation" in sent:
        # The vendor has the few-shot messages in its history already.
        return expected | {"instructions": Injected(SYSTEM)}
    shots = [Injected({"role": role, "content": text}) for role, text in SHOTS]
    _, others = _sorted(sent.get(_list_name(path)))
    return expected | _system(path, SYSTEM, [*shots, *others])


def _beside(path: str, sent: dict[str, str], call: Expected) -> Expected:
    """Return what goes out with a call beside the one that answers."""
    kept = {n: v for n, v in call.items() if n not in ("temperature", "max_output_tokens")}
    if path.endswith("/compact"):
        return {n: v for n, v in kept.items() if n != "tools"} | {"instructions": Injected(SYSTEM)}
    _, others = _sorted(sent["input"])
    shots = [Injected({"role": role, "content": text}) for role, text in SHOTS]
    return kept | _system(path, SYSTEM, [*shots, *others])


def differences(expected: Expected, body: str) -> list[str]:
    """Return what is not as expected in `body`, in words; empty if nothing."""
    came = members(body)
    names = [name for name, _ in came]
    found = [f"{name} twice" for name in set(names) if names.count(name) > 1]
    found += [f"{name} missing" for name in expected.keys() - set(names)]
    found += [f"{name} added" for name in set(names) - expected.keys()]
    for name, spelled in came:
        if name in expected and not _equal(expected[name], spelled):
            found.append(f"{name} is {spelled}, expected {expected[name]}")
    return found


def _equal(expected: str | Injected, spelled: str) -> bool:
    if isinstance(expected, str):
        return expected == spelled
    if hasattr(expected.value, "equals"):
        return bool(expected.value.equals(spelled))
    return bool(expected.value == json.loads(spelled))


@dataclass(frozen=True, slots=True)
class Mixed:
    """A list of injected elements and of the app's own, spelled as they were."""

    items: list[str | Injected]

    def equals(self, spelled: str) -> bool:
        came = elements(spelled)
        pairs = zip(self.items, came, strict=False)
        return len(came) == len(self.items) and all(_equal(e, c) for e, c in pairs)


def _list_name(path: str) -> str:
    return "messages" if path.endswith("completions") else "input"


def _system(path: str, text: str, others: list[str | Injected]) -> Expected:
    if path.endswith("completions"):
        leading = Injected({"role": "system", "content": text})
        return {"messages": Injected(Mixed([leading, *others]))}
    return {"instructions": Injected(text), "input": Injected(Mixed(others))}


def _sorted(spelled: str | None) -> tuple[list[str], list[str | Injected]]:
    """Return the app's system texts, and its other messages as it spelled them."""
    if spelled is None:
        return [], []
    if not spelled.startswith("["):
        return [], [Injected({"role": "user", "content": json.loads(spelled)})]
    texts: list[str] = []
    others: list[str | Injected] = []
    for item in elements(spelled):
        message = json.loads(item)
        if message.get("role") in SYSTEM_ROLES:
            texts += _texts(message["content"])
        else:
            others.append(item)
    return texts, others


def _texts(content: Any) -> list[str]:
    return [content] if isinstance(content, str) else [part["text"] for part in content]


def _instructions(sent: dict[str, str]) -> list[str]:
    return [json.loads(sent["instructions"])] if "instructions" in sent else []


def _stray_choice(sent: dict[str, str]) -> set[str]:
    """A choice of a tool goes with the app's tools; `auto` and the like stay."""
    choice = json.loads(sent.get("tool_choice", "null"))
    return {"tool_choice"} if isinstance(choice, dict) else set()


def _chat_tool() -> dict[str, Any]:
    described = {"name": "search_catalogue", "description": "Search.", "parameters": PARAMETERS}
    return {"type": "function", "function": described}


def _flat_tool() -> dict[str, Any]:
    return {"type": "function", "strict": None, **_chat_tool()["function"]}

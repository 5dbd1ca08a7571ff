"""What a request asks for, in one form for all dialects, and the text that shows it.

The answer's text repeats what the vendor was given, so that a change of the pinned version, and
its rollback, can be seen in the answer. The same request gets the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.simvendor.example import example_of
from proxy.simvendor.script import without_triggers

SHOWN_SYSTEM = 80
SHOWN_QUESTION = 400

# What a rollback may change, in the order in which it is shown.
SETTINGS = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "top_k",
    "stop",
    "stop_sequences",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
    "verbosity",
    "reasoning",
    "thinking",
    "topP",
    "topK",
    "maxOutputTokens",
    "stopSequences",
    "presencePenalty",
    "frequencyPenalty",
    "thinkingConfig",
)

# An alias is answered by a dated snapshot, as the vendor does.
SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5.6": "gpt-5.6-2026-07-09",
    "gpt-3.5-turbo-instruct": "gpt-3.5-turbo-instruct:20230824-v2",
    "text-embedding-3-small": "text-embedding-3-small",
    "text-embedding-3-large": "text-embedding-3-large",
    "claude-opus-5-5": "claude-opus-5-5-2026-07-09",
    "claude-haiku-5": "claude-haiku-5-2026-07-09",
    "gemini-3.5-pro": "gemini-3.5-pro-2026-07-09",
}
LATEST = "2026-07-09"
_DATED = re.compile(r".*-20[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    parameters: Json


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that the answer makes. `arguments` is JSON text."""

    id: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `question` is the last user text; `result` that of a tool, if it came last.

    `earlier` counts the messages before the question that are not the system's. `limit` is the
    largest number of output tokens. `schema` is set where the answer must be JSON.
    """

    seed: str
    model: str
    settings: Sequence[str]
    system: Sequence[str]
    earlier: int
    question: str
    result: str | None
    tools: Sequence[Tool]
    choice: Any
    schema: Json | None
    limit: int | None
    input_tokens: int


def snapshot(model: str) -> str:
    if _DATED.fullmatch(model):
        return model
    return SNAPSHOTS.get(model, f"{model}-{LATEST}")


def seed_of(body: bytes) -> str:
    """Return what the ids of an answer are made of: 24 hex digits over the request."""
    return hashlib.sha256(body).hexdigest()[:24]


def settings_of(body: Json) -> list[str]:
    given = ((name, body.get(name)) for name in SETTINGS)
    return [f"{name} {compact(value)}" for name, value in given if value is not None]


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, or parts of which some hold text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return " ".join(part for part in parts if isinstance(part, str))


def shown(asked: Asked) -> str:
    """Return the answer's text: what was given, then what was asked."""
    given = [snapshot(asked.model), *asked.settings]
    given.append("tools " + (", ".join(tool.name for tool in asked.tools) or "none"))
    if asked.earlier:
        given.append(f"earlier messages {asked.earlier}")
    system = " + ".join(asked.system)
    given.append("system: " + _cut(system, SHOWN_SYSTEM) if system else "no system prompt")
    return f"[{' | '.join(given)}] {_asked_or_told(asked)}"


def text(asked: Asked) -> str:
    """Return the whole text of the answer, JSON where a schema was given."""
    plain = shown(asked)
    return plain if asked.schema is None else compact(example_of(asked.schema, plain))


def pieces(asked: Asked, whole: str) -> tuple[list[str], bool]:
    """Cut a text into output tokens; also say whether the limit left some of it out."""
    tokens = re.findall(r"\s*\S+\s*$|\s*\S+", whole) or [whole]
    if asked.limit is None or len(tokens) <= asked.limit:
        return tokens, False
    return tokens[: asked.limit], True


def calls(asked: Asked) -> list[Call]:
    """Return the tool calls that the text or the tool choice asks for, in the text's order."""
    if asked.choice == "none" or asked.result is not None:
        return []
    wanted = [tool for tool in asked.tools if tool.name == _forced(asked.choice)]
    wanted = wanted or _named(asked)
    if not wanted and asked.choice == "required":
        wanted = list(asked.tools[:1])
    return [_call(asked, number, tool) for number, tool in enumerate(wanted)]


def words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _asked_or_told(asked: Asked) -> str:
    if asked.result is not None:
        return f"The tool said: {_cut(asked.result, SHOWN_QUESTION)}"
    return f"You asked: {_cut(without_triggers(asked.question), SHOWN_QUESTION)}"


def _cut(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[:length] + "…"


def _forced(choice: Any) -> str | None:
    if not isinstance(choice, dict):
        return None
    function = choice.get("function")
    named = function.get("name") if isinstance(function, dict) else choice.get("name")
    return named if isinstance(named, str) else None


def _named(asked: Asked) -> list[Tool]:
    """Find `call NAME` in the question; as often as it says so."""
    known = {tool.name: tool for tool in asked.tools}
    asked_names = re.findall(r"\bcall\s+([a-zA-Z0-9_-]{1,64})", asked.question)
    return [known[name] for name in asked_names if name in known]


def _call(asked: Asked, number: int, tool: Tool) -> Call:
    arguments = compact(example_of(tool.parameters, "simulated"))
    return Call(f"call_{asked.seed}{number}", tool.name, arguments)

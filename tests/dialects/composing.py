"""A version, what an app sends, and what the vendor would receive."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from proxy.dialects.anthropic_messages import AnthropicMessages
from proxy.dialects.base import NAME, NO_HEADERS, Asked, Dialect, Endpoint, Headers, path_for
from proxy.dialects.gemini_generate import GeminiGenerate
from proxy.dialects.openai_chat import OpenAIChat
from proxy.dialects.openai_completions import OpenAICompletions
from proxy.dialects.openai_embeddings import OpenAIEmbeddings
from proxy.dialects.openai_responses import OpenAIResponses
from proxy.versions.content import Content
from tests.wire.spelled import members

CHAT, RESPONSES, MESSAGES = OpenAIChat(), OpenAIResponses(), AnthropicMessages()
GEMINI = GeminiGenerate()
ALL = (CHAT, RESPONSES, MESSAGES, GEMINI)
EMBEDDINGS, COMPLETIONS = OpenAIEmbeddings(), OpenAICompletions()
BARE = (EMBEDDINGS, COMPLETIONS)
"""Those that have no place for prompts and tools of a version."""
DEPTH = 64
VENDOR_MODEL = "gpt-4o-2024-08-06"

in_every_dialect = pytest.mark.parametrize("dialect", ALL, ids=lambda one: one.name)
in_bare_dialects = pytest.mark.parametrize("dialect", BARE, ids=lambda one: one.name)

Body = dict[str, Any] | str | bytes


def version(**parts: Any) -> Content:
    return Content.model_validate({"model": {"vendor": "openai", "id": VENDOR_MODEL}, **parts})


def says(dialect: Dialect, text: str = "hi", **fields: Any) -> dict[str, Any]:
    """Return the body of an app that says `text`, and sends `fields` beside it."""
    said: dict[str, Any] = {"messages": [{"role": "user", "content": text}]}
    if dialect.name in (RESPONSES.name, EMBEDDINGS.name):
        said = {"input": text}
    if dialect.name == COMPLETIONS.name:
        said = {"prompt": text}
    if dialect.name == GEMINI.name:
        return _gemini_says(text, fields)
    return {"model": "recommender", **said, **fields}


# What stands in Gemini's bodies beside the parameters, which are in an object of their own.
CONFIG = "generationConfig"
BESIDE = frozenset(
    {"contents", "systemInstruction", "tools", "toolConfig", "cachedContent", "proxy_variables"}
)


def _gemini_says(text: str, fields: dict[str, Any]) -> dict[str, Any]:
    beside = {name: value for name, value in fields.items() if name in BESIDE}
    config = {name: value for name, value in fields.items() if name not in BESIDE}
    said = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return {**said, **beside, **({CONFIG: config} if config else {})}


def with_members(dialect: Dialect, text: str) -> str:
    """Return an app's body that has parameters spelled in a certain way, where they stand."""
    inner = f'"{CONFIG}":{{{text}}}' if dialect is GEMINI else text
    return f"{json.dumps(says(dialect))[:-1]},{inner}}}"


def with_field(dialect: Dialect, name: str, spelled: str) -> str:
    """Return an app's body that has one parameter spelled in a certain way."""
    return with_members(dialect, f'"{name}":{spelled}')


def flat(dialect: Dialect, body: str) -> list[tuple[str, str]]:
    """Return names and spelled values of a body, those of Gemini's parameters among them."""
    if dialect.name != GEMINI.name:
        return members(body)
    beside = [pair for pair in members(body) if pair[0] != CONFIG]
    config = dict(members(body)).get(CONFIG, "null")
    return beside if config == "null" else [*beside, *members(config)]


def list_name(dialect: Dialect) -> str:
    """Return the field that holds what was said."""
    return {RESPONSES.name: "input", GEMINI.name: "contents"}.get(dialect.name, "messages")


def read(endpoint: Endpoint, body: Body, headers: Headers = NO_HEADERS, target: str = "") -> Asked:
    text = json.dumps(body) if isinstance(body, dict) else body
    raw = text.encode() if isinstance(text, str) else text
    called = (target or path_for(endpoint, "recommender")).encode()
    return endpoint.read(raw, depth=DEPTH, target=called, headers=headers)


@dataclass(frozen=True, slots=True)
class Received:
    """What the vendor receives, and what stamp and log line say of it.

    Gemini's parameters are seen as if they stood at the top, and the model as if it did.
    """

    endpoint: Endpoint
    body: bytes
    path: str
    dropped: tuple[str, ...]
    app_fields: tuple[str, ...]
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def members(self) -> list[tuple[str, str]]:
        """Names and values as they are spelled, in order."""
        found = flat(self.endpoint.dialect, self.body.decode())
        if NAME in self.endpoint.path:
            named = self.path.rpartition("/")[2].rpartition(":")[0]
            found.append(("model", json.dumps(named)))
        return found

    @property
    def spelled(self) -> dict[str, str]:
        return dict(self.members)

    @property
    def fields(self) -> dict[str, Any]:
        json.loads(self.body, object_pairs_hook=unique)
        return {name: json.loads(value) for name, value in self.members}


def compose(
    endpoint: Endpoint,
    content: Content,
    body: Body,
    headers: Headers = NO_HEADERS,
    target: str = "",
) -> Received:
    target = target or path_for(endpoint, "recommender")
    composed = endpoint.dialect.compile(content).compose(read(endpoint, body, headers, target))
    return Received(
        endpoint,
        b"".join(composed.body(json.dumps(VENDOR_MODEL).encode())),
        endpoint.upstream_path(target.encode(), VENDOR_MODEL).decode(),
        tuple(name.removeprefix(f"{CONFIG}.") for name in composed.dropped),
        tuple(name.removeprefix(f"{CONFIG}.") for name in composed.app_fields),
        composed.headers,
    )


def messages_of(dialect: Dialect, received: Received) -> list[dict[str, Any]]:
    """Return the messages that the vendor receives, in the words that most dialects have."""
    found: list[dict[str, Any]] = received.fields[list_name(dialect)]
    if dialect is not GEMINI:
        return found
    roles = {"user": "user", "model": "assistant"}
    return [{"role": roles[one["role"]], "content": one["parts"][0]["text"]} for one in found]


def unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Take JSON's members, and complain of a name that is there twice."""
    found = list(pairs)
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), f"repeated: {names}"
    return dict(found)

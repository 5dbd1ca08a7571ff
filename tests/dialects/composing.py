"""A version, what an app sends, and what the vendor would receive."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from proxy.dialects.anthropic_messages import AnthropicMessages
from proxy.dialects.base import NO_HEADERS, Asked, Dialect, Endpoint, Headers
from proxy.dialects.openai_chat import OpenAIChat
from proxy.dialects.openai_completions import OpenAICompletions
from proxy.dialects.openai_embeddings import OpenAIEmbeddings
from proxy.dialects.openai_responses import OpenAIResponses
from proxy.versions.content import Content
from tests.wire.spelled import members

CHAT, RESPONSES, MESSAGES = OpenAIChat(), OpenAIResponses(), AnthropicMessages()
ALL = (CHAT, RESPONSES, MESSAGES)
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
    return {"model": "recommender", **said, **fields}


def list_name(dialect: Dialect) -> str:
    """Return the field that holds what was said."""
    return "input" if dialect is RESPONSES else "messages"


def read(endpoint: Endpoint, body: Body, headers: Headers = NO_HEADERS) -> Asked:
    text = json.dumps(body) if isinstance(body, dict) else body
    raw = text.encode() if isinstance(text, str) else text
    return endpoint.read(raw, depth=DEPTH, headers=headers)


@dataclass(frozen=True, slots=True)
class Received:
    """What the vendor receives, and what stamp and log line say of it."""

    body: bytes
    dropped: tuple[str, ...]
    app_fields: tuple[str, ...]
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def fields(self) -> dict[str, Any]:
        return json.loads(self.body, object_pairs_hook=unique)

    @property
    def spelled(self) -> dict[str, str]:
        """The top level, every value as it is spelled."""
        return dict(members(self.body.decode()))


def compose(
    endpoint: Endpoint, content: Content, body: Body, headers: Headers = NO_HEADERS
) -> Received:
    composed = endpoint.dialect.compile(content).compose(read(endpoint, body, headers))
    pieces = composed.body(json.dumps(VENDOR_MODEL).encode())
    return Received(b"".join(pieces), composed.dropped, composed.app_fields, composed.headers)


def unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Take JSON's members, and complain of a name that is there twice."""
    found = list(pairs)
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), f"repeated: {names}"
    return dict(found)

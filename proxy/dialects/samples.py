"""Requests as small as an app can make them, in each dialect: to show what a version makes of
them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from proxy.dialects.anthropic_messages import AnthropicMessages
from proxy.dialects.base import Asked, Dialect, path_for
from proxy.dialects.gemini_generate import GeminiGenerate
from proxy.dialects.openai_chat import OpenAIChat
from proxy.dialects.openai_completions import OpenAICompletions
from proxy.dialects.openai_embeddings import OpenAIEmbeddings
from proxy.dialects.openai_responses import OpenAIResponses
from proxy.versions.content import Content, Variable
from proxy.versions.variables import Value, fitting

DEPTH = 64

Said = tuple[str, str]
"""A role and a text."""


def sample(dialect: Dialect, model: str, text: str | None, variables: Mapping[str, Value]) -> Asked:
    """Return what an app asks for that sends `text`, or no message, and gives `variables`."""
    fields = {} if text is None else sample_fields(dialect.name, text)
    return _asked(dialect, model, fields, variables)


def sayable(content: Content, said: Sequence[Said]) -> Sequence[Said]:
    """Return what an app may say of this to a version: nothing, where the version says it all."""
    return () if content.policy.messages == "reject" else said


def conversation(
    dialect: Dialect, model: str, said: Sequence[Said], variables: Mapping[str, Value]
) -> Asked:
    """Return what an app asks for that sends these messages, if any, and gives `variables`."""
    messages = [{"role": role, "content": text} for role, text in said]
    texts = [text for _, text in said]
    fields: dict[str, dict[str, Any]] = {
        OpenAIChat.name: {"messages": messages},
        OpenAIResponses.name: {"input": messages},
        OpenAIEmbeddings.name: {"input": texts},
        OpenAICompletions.name: {"prompt": "\n\n".join(texts)},
        AnthropicMessages.name: {"messages": messages},
        GeminiGenerate.name: gemini_fields(said),
    }
    return _asked(dialect, model, fields[dialect.name] if said else {}, variables)


def _asked(
    dialect: Dialect, model: str, fields: Mapping[str, Any], variables: Mapping[str, Value]
) -> Asked:
    body = {"model": model, **fields}
    if variables:
        body["proxy_variables"] = dict(variables)
    target = path_for(dialect, model).encode()
    return dialect.read(json.dumps(body).encode(), depth=DEPTH, target=target)


def gemini_fields(said: Sequence[Said]) -> dict[str, Any]:
    """Return messages as Gemini's API has them: what the system says stands beside them."""
    system = [{"text": text} for role, text in said if role == "system"]
    others = [
        {"role": "model" if role == "assistant" else role, "parts": [{"text": text}]}
        for role, text in said
        if role != "system"
    ]
    return {**({"systemInstruction": {"parts": system}} if system else {}), "contents": others}


def sample_fields(dialect: str, text: str) -> dict[str, Any]:
    """Return the field in which a dialect carries what an app says. Raises `KeyError`."""
    fields: dict[str, dict[str, Any]] = {
        OpenAIChat.name: {"messages": [{"role": "user", "content": text}]},
        OpenAIResponses.name: {"input": text},
        OpenAIEmbeddings.name: {"input": text},
        OpenAICompletions.name: {"prompt": text},
        AnthropicMessages.name: {"messages": [{"role": "user", "content": text}]},
        GeminiGenerate.name: gemini_fields([("user", text)]),
    }
    return fields[dialect]


def sample_values(
    declared: Mapping[str, Variable], given: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """Return values that every version takes: of those given, the declared ones; for one that has
    neither value nor default, one that fits. So no text comes out empty that need not."""
    known = {name: value for name, value in (given or {}).items() if name in declared}
    missing = {
        name: fitting(name, one)
        for name, one in declared.items()
        if one.default is None and name not in known
    }
    return {**known, **missing}

"""A request in each dialect, as small as an app can make it: to show what a version makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from proxy.dialects.base import Asked, Dialect
from proxy.dialects.openai_chat import OpenAIChat
from proxy.dialects.openai_responses import OpenAIResponses

DEPTH = 64


def sample(dialect: Dialect, model: str, text: str, variables: Mapping[str, str]) -> Asked:
    """Return what an app asks for that sends `text` and gives `variables`."""
    body = {"model": model, **sample_fields(dialect.name, text)}
    if variables:
        body["proxy_variables"] = dict(variables)
    return dialect.read(json.dumps(body).encode(), depth=DEPTH)


def sample_fields(dialect: str, text: str) -> dict[str, Any]:
    """Return the field in which a dialect carries what an app says. Raises `KeyError`."""
    fields: dict[str, dict[str, Any]] = {
        OpenAIChat.name: {"messages": [{"role": "user", "content": text}]},
        OpenAIResponses.name: {"input": text},
    }
    return fields[dialect]

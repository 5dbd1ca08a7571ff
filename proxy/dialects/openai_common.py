"""What OpenAI's dialects share: their header, error shape, list of models, prompt variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from proxy.dialects.base import Endpoint, FixedPath, JsonValue, Rows
from proxy.dialects.raw import Raw, is_null, read_as, read_nested
from proxy.errors import InvalidRequest, RequestError
from proxy.settings import Auth
from proxy.versions.content import Content, NamedTool
from proxy.versions.variables import Given, Written

_ANY = msgspec.json.Decoder(Any)


def read_prompt_variables(raw: Raw) -> dict[str, Given]:
    """Return the values of a `prompt` object's `variables`: strings, or `input_text` parts.

    Raises `InvalidRequest` for all else, images and files among it: a template is a text.
    """
    if is_null(raw):
        return {}
    given = read_nested(raw, "prompt.variables")
    return {name: _prompt_value(value) for name, value in given.items()}


def _prompt_value(raw: Raw) -> Given:
    value: Any = read_as(_ANY, raw, "prompt.variables must be texts")
    if isinstance(value, dict):
        if value.get("type") in ("input_image", "input_file"):
            raise InvalidRequest(
                "an image or a file cannot be a variable", hint="send it in input instead"
            )
        value = value.get("text") if value.get("type") == "input_text" else None
        if not isinstance(value, str):
            raise InvalidRequest("prompt.variables must be texts")
    if isinstance(value, str):
        # The SDKs' types know no numbers here.
        return Written(value)
    if not isinstance(value, int | float):
        raise InvalidRequest("prompt.variables must be texts")
    return value


def tool_choice(content: Content, nested: bool) -> JsonValue:
    """Return the version's tool choice; a named tool `nested` as chat wants it, or flat."""
    choice = content.generation.tool_choice
    if not isinstance(choice, NamedTool):
        return choice
    named = {"name": choice.name}
    return {"type": "function", "function": named} if nested else {"type": "function", **named}


def described(error: RequestError, request_id: str) -> dict[str, JsonValue]:
    """Return the inside of OpenAI's `error` object."""
    kind = "invalid_request_error" if error.fault == "caller" else "proxy_error"
    hint = f" ({error.hint})" if error.hint else ""
    return {
        "message": f"proxy: {error.message}{hint}",
        "type": kind,
        "param": None,
        "code": error.code,
        "request_id": request_id,
    }


def error_chunk(error: RequestError, request_id: str) -> bytes:
    """Return the event by which streams without event names report that they broke."""
    return b"data: %b\n\n" % msgspec.json.encode({"error": described(error, request_id)})


# What Groq's SDK, and OpenAI's for Azure's newer API, put in front of a path.
PREFIX = "/openai"


# Mistral's SDK reads no list in which a model has no type and no capabilities. It takes those for
# absent that are not named: what a version's vendor model can do is not known here.
_MODEL: Final[Mapping[str, JsonValue]] = MappingProxyType(
    {
        "object": "model",
        "created": 0,
        "owned_by": "proxy",
        "type": "base",
        "capabilities": {},
    }
)


class OpenAI(FixedPath):
    """What OpenAI's dialects have in common."""

    others: tuple[Endpoint, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.spellings = (PREFIX + self.path,)

    auth: Auth = "bearer"
    mark = b""
    users = ("safety_identifier", "user")
    prefixes: tuple[bytes, ...] = ()
    query_keys: Mapping[bytes, bytes] = MappingProxyType({})
    forwarded_prefixes = (b"openai-beta", b"x-stainless-")
    added_headers: tuple[tuple[bytes, bytes], ...] = ()

    def advice(self, content: Content) -> Iterator[str]:
        yield from ()

    def models_path(self, prefix: str) -> str:
        return "/v1/models"

    def listed(self, rows: Rows) -> JsonValue:
        return {"object": "list", "data": [self.described(row) for row in rows]}

    def described(self, row: Mapping[str, str]) -> JsonValue:
        return {**_MODEL, **row}

    def error_body(self, error: RequestError, request_id: str) -> bytes:
        return msgspec.json.encode({"error": described(error, request_id)})

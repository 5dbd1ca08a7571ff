"""What OpenAI's two dialects share: error shape, neutral values, structured output, variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proxy.dialects.base import JsonValue
from proxy.dialects.raw import Raw, is_null, read_as, read_nested
from proxy.errors import InvalidRequest, RequestError
from proxy.versions.content import Content, Generation, NamedTool, ResponseFormat

FORWARDED = (b"openai-beta", b"x-stainless-")

_ADDRESS = msgspec.json.Decoder(str)
_FLAG = msgspec.json.Decoder(bool | None)
_ANY = msgspec.json.Decoder(Any)
_VALUES = msgspec.json.Decoder(dict[str, str | int | float | bool])

# What a name may be at most: longer than any id, far shorter than what would hurt a log line.
MAX_ADDRESS = 512


def read_address(fields: Mapping[str, Raw]) -> str:
    """Return the body's `model`, empty if there is none. Raises `InvalidRequest`."""
    raw = fields.get("model")
    if raw is None or is_null(raw):
        return ""
    address = read_as(_ADDRESS, raw, "model must be a string")
    if len(address) > MAX_ADDRESS:
        raise InvalidRequest("model is too long")
    return address


def read_stream(fields: Mapping[str, Raw]) -> bool:
    raw = fields.get("stream")
    return raw is not None and read_as(_FLAG, raw, "stream must be true or false") is True


def read_variables(fields: Mapping[str, Raw]) -> dict[str, str]:
    """Return `proxy_variables` as texts; numbers and booleans as JSON writes them."""
    raw = fields.get("proxy_variables")
    if raw is None or is_null(raw):
        return {}
    given = read_as(_VALUES, raw, "proxy_variables must map names to strings or numbers")
    return {name: as_text(value) for name, value in given.items()}


def as_text(value: str | int | float | bool) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def read_prompt_variables(raw: Raw) -> dict[str, str]:
    """Return the values of a `prompt` object's `variables`: strings, or `input_text` parts."""
    if is_null(raw):
        return {}
    return {name: _prompt_value(value) for name, value in read_nested(raw).items()}


def _prompt_value(raw: Raw) -> str:
    value: Any = read_as(_ANY, raw, "prompt.variables must be texts")
    if isinstance(value, dict) and value.get("type") == "input_text":
        value = value.get("text")
    if not isinstance(value, str | int | float):
        raise InvalidRequest("prompt.variables must be texts")
    return as_text(value)


def neutral_values(generation: Generation) -> dict[str, JsonValue]:
    """Return the fields that a version sets, by neutral name, as OpenAI writes plain values."""
    plain = generation.model_dump(mode="json", exclude_defaults=True, exclude={"extra"})
    plain |= {name: _whole(value) for name, value in plain.items() if isinstance(value, float)}
    return plain


def _whole(value: float) -> float | int:
    """Write 1.0 as 1, as the canonical form does: one version, one spelling."""
    return int(value) if value.is_integer() else value


def json_schema(wanted: ResponseFormat) -> dict[str, JsonValue]:
    """Return what describes a `json_schema` format, flat."""
    return wanted.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"type"})


def tool_choice(content: Content, nested: bool) -> JsonValue:
    """Return the version's tool choice; a named tool `nested` as chat wants it, or flat."""
    choice = content.generation.tool_choice
    if not isinstance(choice, NamedTool):
        return choice
    named = {"name": choice.name}
    return {"type": "function", "function": named} if nested else {"type": "function", **named}


def error_body(error: RequestError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": described(error, request_id)})


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

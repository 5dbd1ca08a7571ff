"""What a body has under the same name in every dialect, and a version's values as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proxy.dialects.base import JsonValue
from proxy.dialects.raw import Raw, is_null, read_as, read_nested
from proxy.errors import InvalidRequest, RequestError
from proxy.versions.content import Generation, ResponseFormat
from proxy.versions.variables import Given, Value

_ADDRESS = msgspec.json.Decoder(str)
_VALUE: msgspec.json.Decoder[str | int] = msgspec.json.Decoder(str | int)
_FLAG = msgspec.json.Decoder(bool | None)
_VALUES: msgspec.json.Decoder[dict[str, Given]] = msgspec.json.Decoder(dict[str, Value])

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


def read_value(fields: Mapping[str, Raw], path: str) -> bytes:
    """Return the text or the integer at `path`, `user` or `metadata.user_id`; empty for anything
    else that may be there."""
    name, _, inner = path.partition(".")
    raw = fields.get(name)
    try:
        if raw is not None and inner:
            raw = read_nested(raw, name).get(inner)
        return b"" if raw is None else str(read_as(_VALUE, raw, name)).encode()
    except RequestError:
        return b""


def read_variables(fields: Mapping[str, Raw]) -> dict[str, Given]:
    """Return the values in `proxy_variables`. Raises `InvalidRequest` for what is no scalar."""
    raw = fields.get("proxy_variables")
    if raw is None or is_null(raw):
        return {}
    return read_as(_VALUES, raw, "proxy_variables must map names to strings, numbers or booleans")


def neutral_values(generation: Generation) -> dict[str, JsonValue]:
    """Return the fields that a version sets, by neutral name, as JSON has them."""
    plain = generation.model_dump(mode="json", exclude_defaults=True, exclude={"extra"})
    plain |= {name: _whole(value) for name, value in plain.items() if isinstance(value, float)}
    return plain


def _whole(value: float) -> float | int:
    """Write 1.0 as 1, as the canonical form does: one version, one spelling."""
    return int(value) if value.is_integer() else value


def json_schema(wanted: ResponseFormat) -> dict[str, JsonValue]:
    """Return what describes a `json_schema` format, flat."""
    return wanted.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"type"})

"""A value that fits a JSON Schema, always the same one. Covers what structured output allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Schemas may refer to themselves; deeper than this an example ends in null.
MAX_DEPTH = 12

Json = Mapping[str, Any]


def example_of(schema: Json, text: str) -> Any:
    """Return a value for `schema` in which every free string is `text`."""
    return _value(schema, schema, text, 0)


def _value(schema: Any, root: Json, text: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(several), list) and schema[several]:
            return _value(schema[several][0], root, text, depth + 1)
    return _typed(schema, root, text, depth)


def _typed(schema: Json, root: Json, text: str, depth: int) -> Any:
    kind = _kind(schema)
    if kind == "object":
        properties = schema.get("properties")
        named = properties.items() if isinstance(properties, Mapping) else ()
        return {name: _value(part, root, text, depth + 1) for name, part in named}
    if kind == "array":
        return [_value(schema.get("items"), root, text, depth + 1)]
    plain = {"string": text, "integer": 1, "number": 0.5, "boolean": True}
    return plain.get(kind)


def _kind(schema: Json) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "null"


def _resolved(schema: Json, root: Json) -> Json:
    """Follow a reference within the document once; `#` is the document itself."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#"):
        return schema
    found: Any = root
    for name in reference.removeprefix("#").split("/")[1:]:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}

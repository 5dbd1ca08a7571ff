"""What of a request in Gemini's dialect would be a version's."""

from __future__ import annotations

from typing import Any, Final

from proxy.dialects import adopt, gemini_generation
from proxy.dialects.adopt import Part
from proxy.dialects.base import JsonValue
from proxy.dialects.gemini_generation import FIELD as CONFIG
from proxy.dialects.gemini_generation import FORMAT, OWN
from proxy.dialects.gemini_names import camel, one_spelling, spellings
from proxy.dialects.gemini_system import FIELD as SYSTEM
from proxy.dialects.gemini_tools import ALLOWED, CHOICE, DECLARATIONS
from proxy.dialects.gemini_tools import CONFIG as TOOL_CONFIG
from proxy.dialects.raw import Fields, Raw, is_null, read_nested, starts_object

_CACHE = "cachedContent"
_TOP_EXTRAS = frozenset({"safetySettings"})
_TOP_OTHERS = frozenset({*OWN, "labels", "serviceTier"})

_EXTRAS = frozenset(
    {
        *("thinkingConfig", "candidateCount", "responseModalities", "mediaResolution"),
        *("responseLogprobs", "logprobs"),
    }
)
_KNOWN = spellings(
    {*FORMAT, *_EXTRAS, *(name for one in gemini_generation.PARAMETERS for name in one.names)}
)
_MODES: Final = {"AUTO": "auto", "NONE": "none", "ANY": "required"}

# The API has no name for a format; a version's needs one.
_FORMAT_NAME = "answer"


class AdoptGenerate:
    def adopt(self, fields: Fields) -> Part | None:
        if _CACHE in fields and not is_null(fields[_CACHE]):
            return None
        part = Part()
        adopt.sort_fields(fields, (), extras=_TOP_EXTRAS, others=_TOP_OTHERS, part=part)
        _config(fields.get(CONFIG), part)
        _system(fields.get(SYSTEM), part)
        for entry in _each(fields.get("tools")):
            _entry(entry, part)
        _choice(fields.get(TOOL_CONFIG), part)
        return part


def _config(raw: Raw | None, part: Part) -> None:
    if raw is None or not starts_object(raw):
        return
    members = one_spelling(read_nested(raw, CONFIG), _KNOWN)
    inner = Part()
    parameters = gemini_generation.PARAMETERS
    part.generation = adopt.sort_fields(
        members, parameters, extras=_EXTRAS, others=FORMAT, part=inner
    )
    part.extra |= inner.extra
    for name in inner.left_out:
        part.leave_out(f"{CONFIG}.{name}")
    sent = {name: adopt.plain(members[name]) for name in FORMAT if name in members}
    _format({name: value for name, value in sent.items() if value is not None}, part)


def _format(sent: dict[str, JsonValue], part: Part) -> None:
    """Take a response format over; a schema in the API's older form stays the app's, whole."""
    schema = sent.get("responseJsonSchema", sent.get("_responseJsonSchema"))
    kind = sent.get("responseMimeType")
    if isinstance(schema, dict) and "responseSchema" not in sent:
        wanted = {"type": "json_schema", "name": _FORMAT_NAME, "schema": schema}
        part.generation["response_format"] = wanted
    elif sent.keys() == {"responseMimeType"} and kind in ("application/json", "text/plain"):
        plain = "text" if kind == "text/plain" else "json_object"
        part.generation["response_format"] = {"type": plain}
    else:
        for name in sent:
            part.leave_out(f"{CONFIG}.{name}")


def _system(raw: Raw | None, part: Part) -> None:
    if raw is None or not starts_object(raw):
        return
    parts = adopt.plain(raw).get("parts")
    listed = [parts] if isinstance(parts, dict) else parts if isinstance(parts, list) else []
    texts = [one["text"] for one in listed if _is_text(one)]
    if len(texts) < len(listed):
        part.leave_out(SYSTEM)
    else:
        part.system = "\n\n".join(texts)


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.keys() == {"text"} and isinstance(part["text"], str)


def _each(raw: Raw | None) -> list[dict[str, Any]]:
    """Google's APIs take a single object for a list of one."""
    value = None if raw is None else adopt.plain(raw)
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, dict)]


def _entry(entry: dict[str, Any], part: Part) -> None:
    """One entry of `tools` holds functions, or a tool of the vendor's own."""
    for name, value in entry.items():
        if camel(name) != DECLARATIONS:
            part.leave_out(f"tools.{camel(name)}")
            continue
        for one in value if isinstance(value, list) else [value]:
            _declaration(one, part)


def _declaration(one: Any, part: Part) -> None:
    if not isinstance(one, dict) or not isinstance(one.get("name"), str):
        part.leave_out(f"tools.{DECLARATIONS}")
        return
    members = {camel(name): value for name, value in one.items() if value is not None}
    schema = members.get("parametersJsonSchema", _lower(members.get("parameters")))
    wanted = {
        "name": members["name"],
        "description": members.get("description"),
        "parameters": schema,
    }
    part.tools.append({name: value for name, value in wanted.items() if value is not None})


def _lower(schema: Any) -> Any:
    """Write a schema of the API's older form as JSON Schema: it spells types in capitals."""
    if isinstance(schema, list):
        return [_lower(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    lowered = {name: _lower(value) for name, value in schema.items()}
    return {**lowered, "type": kind.lower()} if isinstance(kind, str) else lowered


def _choice(raw: Raw | None, part: Part) -> None:
    if raw is None or not starts_object(raw):
        return
    config = {camel(name): value for name, value in adopt.plain(raw).items()}
    chosen = config.pop(CHOICE, None)
    choice = {camel(k): v for k, v in chosen.items()} if isinstance(chosen, dict) else {}
    mode, allowed = choice.get("mode"), choice.get(ALLOWED)
    if mode == "ANY" and isinstance(allowed, list) and len(allowed) == 1:
        part.generation["tool_choice"] = {"name": allowed[0]}
    elif adopt.is_among(mode, _MODES) and not allowed:
        part.generation["tool_choice"] = _MODES[mode]
    elif choice:
        part.leave_out(TOOL_CONFIG)
    if config:
        part.leave_out(TOOL_CONFIG)

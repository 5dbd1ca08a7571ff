"""What of a request in OpenAI's dialects would be a version's."""

from __future__ import annotations

from proxy.dialects import adopt, openai_chat, openai_responses
from proxy.dialects.adopt import Part
from proxy.dialects.base import JsonValue
from proxy.dialects.messages import SYSTEM_ROLES
from proxy.dialects.raw import Fields, is_null, starts_object

# Who asks, how the answer is delivered, what the vendor keeps: an app's own, not a version's.
_APPS = frozenset(
    {
        *("stream", "stream_options", "user", "metadata", "store", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_retention", "service_tier", "proxy_variables"),
    }
)

_CHAT_EXTRAS = frozenset({"reasoning_effort", "verbosity", "logprobs", "top_logprobs", "n"})
_CHAT_OTHERS = _APPS | {"model", "messages", "tools"}

_RESPONSES_EXTRAS = frozenset({"reasoning", "truncation", "max_tool_calls", "top_logprobs"})
_RESPONSES_OTHERS = _APPS | {
    *("model", "input", "instructions", "tools", "text", "include", "background"),
    *("previous_response_id", "conversation"),
}

_TOOL = {
    "name": "name",
    "description": "description",
    "parameters": "parameters",
    "strict": "strict",
}
_FORMATS = ("type", "name", "description", "schema", "strict")


class AdoptChat:
    def adopt(self, fields: Fields) -> Part | None:
        part = Part()
        found = adopt.sort_fields(
            fields,
            openai_chat.PARAMETERS,
            extras=_CHAT_EXTRAS,
            others=_CHAT_OTHERS,
            part=part,
        )
        _settle(found, part, nested=True)
        said = adopt.leading_system(fields.get("messages"), SYSTEM_ROLES, part)
        part.system = "\n\n".join(said)
        adopt.functions(fields.get("tools"), "tools", part, _TOOL, nested=True)
        return part


class AdoptResponses:
    def adopt(self, fields: Fields) -> Part | None:
        if "prompt" in fields and not is_null(fields["prompt"]):
            return None
        part = Part()
        found = adopt.sort_fields(
            fields,
            openai_responses.PARAMETERS,
            extras=_RESPONSES_EXTRAS,
            others=_RESPONSES_OTHERS,
            part=part,
        )
        _text(fields, found, part)
        _settle(found, part, nested=False)
        raw = fields.get("instructions")
        first = adopt.text(raw) if raw is not None else None
        said = adopt.leading_system(fields.get("input"), SYSTEM_ROLES, part)
        part.system = "\n\n".join(filter(None, (first, *said)))
        adopt.functions(fields.get("tools"), "tools", part, _TOOL, nested=False)
        return part


def _text(fields: Fields, found: dict[str, JsonValue], part: Part) -> None:
    """`text` holds the structured output, and what else is said of the text."""
    raw = fields.get("text")
    if raw is None or not starts_object(raw):
        return
    members = {name: value for name, value in adopt.plain(raw).items() if value is not None}
    if "format" in members:
        found["response_format"] = members.pop("format")
    if members:
        part.extra["text"] = members


def _settle(found: dict[str, JsonValue], part: Part, *, nested: bool) -> None:
    """Put parameters into their neutral shapes."""
    if isinstance(found.get("stop"), str):
        found["stop"] = [found["stop"]]
    if "response_format" in found:
        found["response_format"] = _format(found["response_format"], nested=nested)
    if "tool_choice" in found:
        choice = _choice(found.pop("tool_choice"), nested=nested)
        if choice is None:
            part.leave_out("tool_choice")
        else:
            found["tool_choice"] = choice
    part.generation = found


def _format(value: JsonValue, *, nested: bool) -> JsonValue:
    if not isinstance(value, dict):
        return value
    inner = value.get("json_schema") if nested else value
    flat = {**(inner if isinstance(inner, dict) else {}), "type": value.get("type")}
    return {name: flat[name] for name in _FORMATS if flat.get(name) is not None}


def _choice(value: JsonValue, *, nested: bool) -> JsonValue:
    """Return a choice as a version has it; None for one of a kind that it has not."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or value.get("type") != "function":
        return None
    inner = value.get("function") if nested else value
    name = inner.get("name") if isinstance(inner, dict) else None
    return {"name": name} if isinstance(name, str) else None

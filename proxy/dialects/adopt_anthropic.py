"""What of a request in Anthropic's dialect would be a version's."""

from __future__ import annotations

from typing import Final

from proxy.dialects import adopt, anthropic_generation
from proxy.dialects.adopt import Part
from proxy.dialects.anthropic_cache import KEY
from proxy.dialects.anthropic_output import FIELD as OUTPUT
from proxy.dialects.anthropic_output import OLDER
from proxy.dialects.anthropic_tools import FLAG
from proxy.dialects.base import JsonValue
from proxy.dialects.raw import Fields, is_null, starts_list, starts_object

_EXTRAS = frozenset({"thinking", "context_management", KEY})
_OTHERS = frozenset(
    {
        *("model", "messages", "system", "tools", "tool_choice", OUTPUT, OLDER, "stream"),
        *("metadata", "service_tier", "container", "proxy_variables"),
    }
)

_TOOL = {
    "name": "name",
    "description": "description",
    "parameters": "input_schema",
    "strict": "strict",
}

_CHOICES: Final = {"auto": "auto", "none": "none", "any": "required"}

# The API has no name for a format; a version's needs one.
_FORMAT_NAME = "answer"


class AdoptMessages:
    def adopt(self, fields: Fields) -> Part | None:
        thread = fields.get("thread")
        if thread is not None and not is_null(thread):
            return None
        part = Part()
        part.generation = adopt.sort_fields(
            fields,
            anthropic_generation.PARAMETERS,
            extras=_EXTRAS,
            others=_OTHERS,
            part=part,
        )
        _system(fields, part)
        adopt.functions(fields.get("tools"), "tools", part, _TOOL, nested=False)
        _mark(fields, "tools", part)
        _choice(fields, part)
        _output(fields, part)
        return part


def _system(fields: Fields, part: Part) -> None:
    raw = fields.get("system")
    if raw is not None and not is_null(raw):
        said = adopt.joined(raw)
        if said is None:
            part.leave_out("system")
        else:
            part.system = said
            _mark(fields, "system", part)
    # Anthropic binds its answers to where such a message stands, so it is no version's.
    if adopt.leading_system(fields.get("messages"), ("system",), part):
        part.leave_out("messages.system")


def _mark(fields: Fields, name: str, part: Part) -> None:
    """Take over the cache breakpoint in the last block of a list."""
    raw = fields.get(name)
    if raw is None or not starts_list(raw):
        return
    blocks = adopt.plain(raw)
    last = blocks[-1] if blocks else None
    if isinstance(last, dict) and isinstance(last.get(KEY), dict):
        part.extra[f"{name}.{KEY}"] = last[KEY]


def _choice(fields: Fields, part: Part) -> None:
    raw = fields.get("tool_choice")
    if raw is None or not starts_object(raw):
        return
    choice = adopt.plain(raw)
    kind, name = choice.get("type"), choice.get("name")
    if isinstance(choice.get(FLAG), bool):
        part.generation["parallel_tool_calls"] = not choice[FLAG]
    if adopt.is_among(kind, _CHOICES):
        part.generation["tool_choice"] = _CHOICES[kind]
    elif kind == "tool" and isinstance(name, str):
        part.generation["tool_choice"] = {"name": name}
    else:
        part.leave_out("tool_choice")


def _output(fields: Fields, part: Part) -> None:
    members: dict[str, JsonValue] = {}
    raw = fields.get(OUTPUT)
    if raw is not None and starts_object(raw):
        members = {name: value for name, value in adopt.plain(raw).items() if value is not None}
    older = fields.get(OLDER)
    wanted = members.pop("format", None)
    if wanted is None and older is not None and starts_object(older):
        wanted = adopt.plain(older)
    if isinstance(wanted, dict) and isinstance(wanted.get("schema"), dict):
        part.generation["response_format"] = {
            "type": "json_schema",
            "name": _FORMAT_NAME,
            "schema": wanted["schema"],
        }
    if members:
        part.extra[OUTPUT] = members

"""The way back: what of a request that no version made would be a version's. Pure.

A dialect that can be adopted from has an `Adopter`. It reads what decides how a model behaves (the
leading system prompt, generation parameters, tools) and nothing that a user said or that says who
asks. What it cannot express as a version is named, so that nobody takes the version for more than
it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

import msgspec

from proxy.dialects.base import Asked, Dialect, JsonValue, Parameter
from proxy.dialects.differences import differences
from proxy.dialects.policy import MAX_NAME
from proxy.dialects.raw import Fields, Raw, is_null, read_as, read_list, starts_list
from proxy.versions.content import Content
from proxy.versions.template import spelled

_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_TEXT = msgspec.json.Decoder(str)

# In one request; what is beyond is not named.
MOST_LEFT_OUT = 32


@dataclass(slots=True)
class Part:
    """What an adopter found. `generation` is by neutral name, `extra` by the dialect's own;
    `left_out` are names on the wire."""

    system: str = ""
    generation: dict[str, JsonValue] = field(default_factory=dict)
    extra: dict[str, JsonValue] = field(default_factory=dict)
    tools: list[JsonValue] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, name: str) -> None:
        if name not in self.left_out and len(self.left_out) < MOST_LEFT_OUT:
            self.left_out.append(name[:MAX_NAME])


class Adopter(Protocol):
    def adopt(self, fields: Fields) -> Part | None:
        """Read a body's fields; None if what decides is not in it but at the vendor. Raises
        `InvalidRequest` or `InvalidJson` for what the vendor will refuse."""


def plain_content(part: Part, dialect: str, vendor: str, model: str) -> dict[str, JsonValue]:
    """Return the content of a version that does what the app asked for, as JSON.

    The app's other fields, its hosted tools among them, pass under the policy as they did. Where
    there is no system prompt to replace the app's, its is kept.
    """
    system = part.system.replace("\r\n", "\n")
    generation = dict(part.generation)
    if part.extra:
        generation["extra"] = {dialect: part.extra}
    policy = {}
    if not system:
        policy["system"] = "append"
    if part.tools and any(name.startswith("tools") for name in part.left_out):
        policy["tools"] = "extend"
    literal = {name: {"default": whole} for name, whole in spelled(system)}
    content = {
        "model": {"vendor": vendor, "id": model},
        "system": system,
        "generation": generation,
        "tools": part.tools,
        "variables": literal,
        "policy": policy,
    }
    return {name: value for name, value in content.items() if value}


def remaining(content: Content, dialect: Dialect, asked: Asked) -> tuple[str, ...]:
    """Return the fields that a version with `content` would send otherwise than `asked` did.

    Raises `WrongDialect` if it cannot be served there at all.
    """
    composed = dialect.compile(content).compose(asked)
    model = msgspec.json.encode(content.model.id)
    return differences(asked.fields, composed, model)


def sort_fields(
    fields: Fields,
    parameters: Iterable[Parameter],
    *,
    extras: Collection[str],
    others: Collection[str],
    part: Part,
) -> dict[str, JsonValue]:
    """Sort the top level of a body into `part`, and return the values of `parameters` by neutral
    name, as the dialect has them. `others` are seen to elsewhere, or are no version's."""
    names = {name: one for one in parameters for name in reversed(one.names)}
    found: dict[str, JsonValue] = {}
    for name, raw in fields.items():
        if is_null(raw) or name in others:
            continue
        parameter = names.get(name)
        if parameter is not None:
            if name == parameter.wire or parameter.field not in found:
                found[parameter.field] = plain(raw)
        elif name in extras:
            part.extra[name] = plain(raw)
        else:
            part.leave_out(name)
    return found


def plain(raw: Raw) -> JsonValue:
    return read_as(_ANY, raw, "a value cannot be read")


def text(raw: Raw) -> str | None:
    """Return a string's text; None if it is none."""
    value = plain(raw)
    return value if isinstance(value, str) else None


def leading_system(raw: Raw | None, roles: Collection[str], part: Part) -> list[str]:
    """Return the texts of the system messages in front of a list of messages; what stands further
    on, or is no text, is left out as `messages.system`."""
    if raw is None or not starts_list(raw):
        return []
    texts: list[str] = []
    leading = True
    for message in read_list(raw):
        said = read_as(_SAID, message, "every message must be an object")
        if said.role not in roles:
            leading = False
        elif leading and (one := joined(said.content)) is not None:
            texts.append(one)
        else:
            part.leave_out("messages.system")
    return texts


class _Said(msgspec.Struct, gc=False):
    role: str = ""
    content: Raw = Raw(b"null")


_SAID = msgspec.json.Decoder(_Said)

TEXT_PARTS = frozenset({"text", "input_text"})


def is_among(value: JsonValue, names: Collection[str]) -> TypeGuard[str]:
    """Say whether `value`, whatever an app sent, is one of `names`."""
    return isinstance(value, str) and value in names


def joined(raw: Raw) -> str | None:
    """Return the text of a content, which is one or a list of text parts; None if it is another."""
    value = plain(raw)
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    parts = [one for part in value if (one := _text_of(part)) is not None]
    return "\n\n".join(parts) if len(parts) == len(value) else None


def _text_of(part: JsonValue) -> str | None:
    if not isinstance(part, dict) or not is_among(part.get("type"), TEXT_PARTS):
        return None
    said = part.get("text")
    return said if isinstance(said, str) else None


def functions(
    raw: Raw | None, name: str, part: Part, read: Mapping[str, str], *, nested: bool
) -> None:
    """Put a list of tools into `part`, as far as they are functions. `read` maps our names of what
    a tool has to the dialect's; `nested` says that they are inside of `function`."""
    if raw is None or is_null(raw):
        return
    tools = plain(raw)
    for tool in tools if isinstance(tools, list) else []:
        inner = _function(tool, nested=nested)
        if inner is None:
            part.leave_out(f"{name}.{_kind(tool)}")
        else:
            wanted = {ours: inner.get(theirs) for ours, theirs in read.items()}
            part.tools.append({key: value for key, value in wanted.items() if value is not None})


def _function(tool: JsonValue, *, nested: bool) -> dict[str, JsonValue] | None:
    if not isinstance(tool, dict) or tool.get("type", "custom") not in ("function", "custom"):
        return None
    inner = tool.get("function") if nested else tool
    ours = isinstance(inner, dict) and isinstance(inner.get("name"), str)
    return inner if ours else None


def _kind(tool: JsonValue) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind if isinstance(kind, str) else "unknown"

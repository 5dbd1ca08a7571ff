"""The policy on tools.

A version's tools go out as one constant piece. `pinned` drops the app's where the version has
tools of its own, `extend` puts the app's behind the version's, `reject` refuses any. A version
without tools that pins leaves the app's alone: it sets nothing that could win.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from proxy.dialects.base import JsonValue
from proxy.dialects.policy import Kept, Settings, narrowed
from proxy.dialects.raw import Raw, is_null, list_inner, read_as, read_list, starts_object
from proxy.errors import OverrideRejected
from proxy.versions.content import Content, Tool, ToolsRule

# Chat's older names for tools; an app that sends them is using tools.
LEGACY = ("functions", "function_call")

# What says how tools are to be called.
CHOICES = frozenset({"tool_choice", "parallel_tool_calls"})


class _Named(msgspec.Struct, gc=False):
    name: str = ""


class _Tool(msgspec.Struct, gc=False):
    name: str = ""
    function: _Named = msgspec.field(default_factory=_Named)


_TOOL = msgspec.json.Decoder(_Tool)


@dataclass(frozen=True, slots=True)
class AppTools:
    """`definitions` is the inside of the version's `tools` list, `names` the tools in it; `alone`
    is the whole member, for a request that brings no tools."""

    rule: ToolsRule
    definitions: bytes
    names: frozenset[str]
    own_fields: tuple[str, ...]
    alone: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "alone", _list([self.definitions]))

    @classmethod
    def of(cls, content: Content, write: Callable[[Tool], JsonValue], *, nested: bool) -> AppTools:
        definitions = b",".join(msgspec.json.encode(write(tool)) for tool in content.tools)
        own = ("tools", *LEGACY) if nested else ("tools",)
        names = frozenset(tool.name for tool in content.tools)
        return cls(content.policy.tools, definitions, names, own)


def extend_tools(ours: AppTools, fields: Mapping[str, Raw], kept: Kept) -> bytes:
    """Return `,"tools":[…]` for the request, or nothing, and note in `kept` what was dropped.

    Raises `OverrideRejected` if the policy refuses tools and the app sent some.
    """
    if fields.keys().isdisjoint(ours.own_fields):
        return ours.alone
    sent = {name: fields[name] for name in ours.own_fields if name in fields}
    if all(map(is_null, sent.values())):
        return ours.alone
    if ours.rule == "reject":
        raise OverrideRejected(hint=", ".join(sent))
    if ours.rule == "pinned" and ours.definitions:
        kept.dropped += [name for name, raw in sent.items() if not is_null(raw)]
        return ours.alone
    kept.app_fields += [name for name, raw in sent.items() if not is_null(raw)]
    for name in filter(sent.__contains__, LEGACY):
        kept.pieces += [b',"%b":' % name.encode(), memoryview(sent[name])]
    if not ours.definitions:
        return b',"tools":%b' % bytes(sent["tools"]) if "tools" in sent else b""
    listed = "tools" in sent and not is_null(sent["tools"])
    theirs = _theirs(ours, sent["tools"], kept) if listed else []
    return _list([ours.definitions, *theirs])


def only_with_tools(content: Content, table: Settings) -> Settings | None:
    """Return `table` for requests in which no tool goes out; None if that makes no difference.

    Vendors refuse a choice among no tools, and a word on calls that cannot be.
    """
    if content.tools or not (table.members.keys() | table.defaults.keys()) & CHOICES:
        return None
    return narrowed(table, lambda name: name not in CHOICES)


def brings_tools(fields: Mapping[str, Raw]) -> bool:
    """Say whether an app sends a tool."""
    sent = (fields[name] for name in ("tools", "functions") if name in fields)
    return any(not is_null(raw) and bytes(list_inner(raw)[:1]) != b"" for raw in sent)


def without_stray_choice(ours: AppTools, fields: dict[str, Raw]) -> dict[str, Raw]:
    """Leave out a `tool_choice` that names one of the app's tools where these are dropped.

    A vendor refuses a choice of a tool that is not there.
    """
    raw = fields.get("tool_choice")
    if raw is None or ours.rule != "pinned" or not ours.definitions or not starts_object(raw):
        return fields
    choice = read_as(_TOOL, raw, "tool_choice must be a string or an object")
    name = choice.function.name or choice.name
    if not name or name in ours.names:
        return fields
    return {key: value for key, value in fields.items() if key != "tool_choice"}


def _theirs(ours: AppTools, raw: Raw, kept: Kept) -> list[bytes]:
    """Return the app's tools but for those that the version defines under the same name."""
    passed = []
    dropped: dict[str, None] = {}
    for item in read_list(raw):
        tool = read_as(_TOOL, item, "every tool must be an object")
        if (name := tool.function.name or tool.name) in ours.names:
            dropped[f"tools.{name}"] = None
        else:
            passed.append(bytes(item))
    kept.dropped += dropped
    return passed


def _list(definitions: list[bytes]) -> bytes:
    inner = b",".join(filter(None, definitions))
    return b',"tools":[%b]' % inner if inner else b""

"""Tools as the Messages API has them, and `tool_choice`, which is two settings of a version in one.

`tool_choice` holds which tool to take (`type`, `name`) and whether only one at a time
(`disable_parallel_tool_use`), so it is put together of both sides, each under its own rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from proxy.dialects.base import JsonValue
from proxy.dialects.policy import Kept
from proxy.dialects.raw import Raw, is_null, key_bytes, read_nested
from proxy.dialects.tools import AppTools
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Content, FieldRule, NamedTool, Tool

FIELD = "tool_choice"
FLAG = "disable_parallel_tool_use"
FLAG_NAME = f"{FIELD}.{FLAG}"

_TYPES = {"auto": "auto", "none": "none", "required": "any"}
_NO_TOOL = b'"none"'

Members = Mapping[str, bytes]
"""Names inside of `tool_choice` to values, as JSON."""


def tool(definition: Tool) -> JsonValue:
    """Raises `WrongDialect` for parameters that are no object's."""
    flat = definition.model_dump(mode="json", exclude_defaults=True)
    schema = {"type": "object", **flat.pop("parameters", {})}
    if schema["type"] != "object":
        raise WrongDialect(hint=f"the parameters of tool {definition.name} are no object")
    return {**flat, "input_schema": schema}


def marked(tools: AppTools, mark: bytes) -> AppTools:
    """Put a cache breakpoint into the last of the version's tools."""
    if not tools.definitions or not mark:
        return tools
    return replace(tools, definitions=b"%b%b}" % (tools.definitions[:-1], mark))


@dataclass(frozen=True, slots=True)
class OwnChoice:
    """What a version sets, each empty if it does not, and the rules for either."""

    which: Members
    flag: Members
    which_rule: FieldRule
    flag_rule: FieldRule

    @property
    def is_open(self) -> bool:
        """Whether all is the app's to say."""
        ruled = "reject" in (self.which_rule, self.flag_rule)
        return not (self.which or self.flag or ruled)

    @classmethod
    def of(cls, content: Content) -> OwnChoice:
        policy, parallel = content.policy, content.generation.parallel_tool_calls
        return cls(
            _which(content.generation.tool_choice),
            {} if parallel is None else {FLAG: msgspec.json.encode(not parallel)},
            policy.fields.get("tool_choice", policy.generation),
            policy.fields.get("parallel_tool_calls", policy.generation),
        )


def _which(choice: str | NamedTool | None) -> Members:
    if choice is None:
        return {}
    if isinstance(choice, NamedTool):
        return {"type": b'"tool"', "name": msgspec.json.encode(choice.name)}
    return {"type": msgspec.json.encode(_TYPES[choice])}


def merge_choice(ours: OwnChoice, raw: Raw | None, kept: Kept, *, has_tools: bool) -> bytes:
    """Return `,"tool_choice":{…}`, or nothing. Raises `OverrideRejected`.

    The vendor refuses a choice where there are no tools, so what is the version's alone goes out
    with tools only.
    """
    if ours.is_open:
        if raw is not None and not is_null(raw):
            kept.app_fields.append(FIELD)
        return b"" if raw is None else b',"tool_choice":%b' % bytes(raw)
    theirs = {} if raw is None or is_null(raw) else read_nested(raw, FIELD)
    sent = {name: bytes(value) for name, value in theirs.items() if not is_null(value)}
    flag: Members = {FLAG: sent.pop(FLAG)} if FLAG in sent else {}
    which, which_is_theirs = _settled(ours.which, sent, ours.which_rule, FIELD, kept)
    flag, flag_is_theirs = _settled(ours.flag, flag, ours.flag_rule, FLAG_NAME, kept)
    if not has_tools and not which_is_theirs and not flag_is_theirs:
        return b""
    if flag and not which:
        which = {"type": b'"auto"'}
    merged = which if which.get("type") == _NO_TOOL else {**which, **flag}
    inner = b"".join(key_bytes(name) + value for name, value in merged.items())
    return b',"tool_choice":{%b}' % inner[1:] if inner else b""


def _settled(
    ours: Members, theirs: Members, rule: FieldRule, name: str, kept: Kept
) -> tuple[Members, bool]:
    """Return one of the two settings, and whether it is the app's."""
    if not theirs:
        return ours, False
    if rule == "reject":
        raise OverrideRejected(hint=name)
    if rule == "pinned" and ours:
        kept.dropped.append(name)
        return ours, False
    kept.app_fields.append(name)
    return theirs, True

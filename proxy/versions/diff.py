"""What changed between two contents, for people: prompts line by line, settings field by field,
tools by name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import rfc8785

from proxy.locate import Path, field_name
from proxy.versions.content import Content, Message, Tool

_SECTIONS = ("model", "generation", "variables", "policy", "routing")


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One setting. A value that is not set is None; so is one that is set to null."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class MessageChange:
    """One few-shot message, by its number from 1 among those of the version that has it (of the
    later one, if both have). `diff` is unified, over role and text."""

    number: int
    change: Change
    diff: str


@dataclass(frozen=True, slots=True)
class ToolChange:
    """One tool. `diff` is a unified diff of its definition, written as indented JSON."""

    name: str
    change: Change
    diff: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs. `system` and `user` are unified diffs, empty if the texts are
    equal."""

    system: str
    user: str
    messages: tuple[MessageChange, ...]
    fields: tuple[FieldChange, ...]
    tools: tuple[ToolChange, ...]
    tools_reordered: bool

    @property
    def is_empty(self) -> bool:
        return self == Difference("", "", (), (), (), False)

    def json(self) -> dict[str, Any]:
        """Return the stable form that scripts read."""
        return {
            "system": self.system,
            "user": self.user,
            "messages": [_plain(item, "number") for item in self.messages],
            "fields": [
                {"field": item.field, "from": item.before, "to": item.after} for item in self.fields
            ],
            "tools": [_plain(item, "name") for item in self.tools],
            "tools_reordered": self.tools_reordered,
        }


def _plain(item: MessageChange | ToolChange, key: str) -> dict[str, Any]:
    return {key: getattr(item, key), "change": str(item.change), "diff": item.diff}


def compare(before: Content, after: Content) -> Difference:
    """Return what turns `before` into `after`."""
    kept = {tool.name for tool in before.tools} & {tool.name for tool in after.tools}
    return Difference(
        system=unified(before.system, after.system),
        user=unified(before.user, after.user),
        messages=tuple(_messages(before.messages, after.messages)),
        fields=tuple(_fields(_settings(before), _settings(after))),
        tools=tuple(_tools(before.tools, after.tools)),
        tools_reordered=_order(before.tools, kept) != _order(after.tools, kept),
    )


def unified(before: str, after: str) -> str:
    """Return a unified diff without file names; empty if the texts are equal."""
    if before == after:
        return ""
    lines = difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=3)
    return "\n".join(list(lines)[2:])


def _lines(text: str) -> list[str]:
    """Split at LF alone: other line ends are part of the text and may be what changed."""
    return text.split("\n") if text else []


def _settings(content: Content) -> dict[str, Any]:
    dumped = content.model_dump(mode="json", by_alias=True, include=set(_SECTIONS))
    # As people wrote them: what a variable leaves out says nothing.
    dumped["variables"] = {
        name: one.model_dump(mode="json", exclude_defaults=True)
        for name, one in content.variables.items()
    }
    return {section: dumped[section] for section in _SECTIONS}


def _fields(before: Any, after: Any, path: Path = ()) -> Iterator[FieldChange]:
    """Yield the values that differ, from the deepest tables that both sides have."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            if key in before and key in after:
                yield from _fields(before[key], after[key], (*path, key))
            else:
                yield FieldChange(field_name((*path, key)), before.get(key), after.get(key))
    elif not _same(before, after):
        yield FieldChange(field_name(path), before, after)


def _same(before: Any, after: Any) -> bool:
    """Compare as the identity does: 1 and 1.0 are one number, and true is none."""
    return rfc8785.dumps(before) == rfc8785.dumps(after)


def _messages(before: Sequence[Message], after: Sequence[Message]) -> Iterator[MessageChange]:
    old, new = list(map(_message_text, before)), list(map(_message_text, after))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        while i < i_end and j < j_end:
            yield MessageChange(j + 1, Change.CHANGED, unified(old[i], new[j]))
            i, j = i + 1, j + 1
        for index in range(i, i_end):
            yield MessageChange(index + 1, Change.REMOVED, unified(old[index], ""))
        for index in range(j, j_end):
            yield MessageChange(index + 1, Change.ADDED, unified("", new[index]))


def _message_text(message: Message) -> str:
    return f"{message.role}:\n{message.content}"


def _tools(before: Sequence[Tool], after: Sequence[Tool]) -> Iterator[ToolChange]:
    old, new = {tool.name: tool for tool in before}, {tool.name: tool for tool in after}
    for name in [*old, *(name for name in new if name not in old)]:
        texts = _tool_text(old.get(name)), _tool_text(new.get(name))
        if name not in new:
            yield ToolChange(name, Change.REMOVED, unified(*texts))
        elif name not in old:
            yield ToolChange(name, Change.ADDED, unified(*texts))
        elif texts[0] != texts[1]:
            yield ToolChange(name, Change.CHANGED, unified(*texts))


def _tool_text(tool: Tool | None) -> str:
    if tool is None:
        return ""
    plain = tool.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(json.loads(rfc8785.dumps(plain)), ensure_ascii=False, indent=2)


def _order(tools: Sequence[Tool], kept: Collection[str]) -> list[str]:
    return [tool.name for tool in tools if tool.name in kept]

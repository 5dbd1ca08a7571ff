"""The `text` object of the Responses dialect, which mixes one setting of ours with others.

`text.format` is the structured output, a field of the version; `text.verbosity` and what may come
are not. So the object is merged member by member, under the rule for `response_format`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from proxy.dialects import openai_common as common
from proxy.dialects.base import JsonValue
from proxy.dialects.policy import Kept, is_parameter
from proxy.dialects.raw import Raw, is_null, key_bytes, read_nested
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Content, FieldRule


@dataclass(frozen=True, slots=True)
class OwnText:
    """`members` maps names inside `text` to the version's value, as JSON. `rules` is by name."""

    members: Mapping[str, bytes]
    rules: Mapping[str, FieldRule]

    @classmethod
    def of(cls, content: Content, dialect: str) -> OwnText:
        """Raises `WrongDialect` if the version's extra `text` is no object of parameters."""
        members = _own_members(content.generation.extra.get(dialect, {}).get("text", {}))
        if (wanted := content.generation.response_format) is not None:
            described = common.json_schema(wanted) if wanted.type == "json_schema" else {}
            members["format"] = {"type": wanted.type, **described}
        fields = content.policy.fields
        rules = dict.fromkeys(members, fields.get("text", content.policy.generation))
        rules["format"] = fields.get("response_format", content.policy.generation)
        return cls({name: msgspec.json.encode(value) for name, value in members.items()}, rules)


def _own_members(extra: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(extra, dict) or not all(map(is_parameter, extra)):
        raise WrongDialect()
    return dict(extra)


def merge_text(ours: OwnText, fields: Mapping[str, Raw], kept: Kept) -> bytes:
    """Return `,"text":{…}`, or nothing where neither side sets it. Raises `OverrideRejected`."""
    raw = fields.get("text")
    theirs = {} if raw is None or is_null(raw) else read_nested(raw)
    merged = dict(ours.members)
    for name, value in theirs.items():
        if not is_null(value):
            _merge(ours, name, bytes(value), merged, kept)
    if not merged:
        return b',"text":%b' % bytes(raw) if raw is not None else b""
    inner = b"".join(key_bytes(name) + value for name, value in merged.items())
    return b',"text":{%b}' % inner[1:]


def _merge(ours: OwnText, name: str, value: bytes, merged: dict[str, bytes], kept: Kept) -> None:
    rule = ours.rules.get(name)
    if rule == "reject":
        raise OverrideRejected()
    if rule == "pinned" and name in ours.members:
        kept.dropped.append(f"text.{name}")
        return
    merged[name] = value
    kept.app_fields.append(f"text.{name}")

"""An object of a body that mixes one setting of ours with others: it is merged member by member.

In the Responses dialect, `text.format` is the structured output, a field of the version;
`text.verbosity` and what may come are not. So the member `format` is under the rule for
`response_format`, members that a version sets as an extra under the rule for that extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from proxy.dialects.base import JsonValue
from proxy.dialects.policy import Kept, is_parameter
from proxy.dialects.raw import Raw, is_null, key_bytes, read_nested
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Content, FieldRule

FORMAT = "format"


@dataclass(frozen=True, slots=True)
class OwnMembers:
    """`name` is the object's. `members` maps names inside of it to the version's value, as JSON;
    empty: it must not go out. `rules` is by name."""

    name: str
    members: Mapping[str, bytes]
    rules: Mapping[str, FieldRule]

    @classmethod
    def of(cls, content: Content, dialect: str, name: str, wanted: JsonValue) -> OwnMembers:
        """Make them of the version's extra `name`, and of `wanted`, which is how this dialect
        writes the version's response format; None: by leaving it out.

        Raises `WrongDialect` if the extra is no object of parameters.
        """
        extra = _own_members(content.generation.extra.get(dialect, {}).get(name, {}))
        members = {key: msgspec.json.encode(value) for key, value in extra.items()}
        if content.generation.response_format is not None:
            members[FORMAT] = b"" if wanted is None else msgspec.json.encode(wanted)
        fields = content.policy.fields
        rules = dict.fromkeys(members, fields.get(name, content.policy.generation))
        rules[FORMAT] = fields.get("response_format", content.policy.generation)
        return cls(name, members, rules)

    def without_format(self) -> OwnMembers:
        """Return them for a request in which the app's own format goes out elsewhere."""
        members = {name: value for name, value in self.members.items() if name != FORMAT}
        return OwnMembers(self.name, members, self.rules)


def _own_members(extra: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(extra, dict) or not all(map(is_parameter, extra)):
        raise WrongDialect()
    return dict(extra)


def merge_members(ours: OwnMembers, fields: Mapping[str, Raw], kept: Kept) -> bytes:
    """Return `,"name":{…}`, or nothing where neither side sets it. Raises `OverrideRejected`."""
    raw = fields.get(ours.name)
    theirs = {} if raw is None or is_null(raw) else read_nested(raw, ours.name)
    merged = dict(ours.members)
    for name, value in theirs.items():
        if not is_null(value):
            _merge(ours, name, bytes(value), merged, kept)
    if not merged:
        return key_bytes(ours.name) + bytes(raw) if raw is not None else b""
    inner = b"".join(key_bytes(name) + value for name, value in merged.items() if value)
    return key_bytes(ours.name) + b"{%b}" % inner[1:] if inner else b""


def _merge(ours: OwnMembers, name: str, value: bytes, merged: dict[str, bytes], kept: Kept) -> None:
    rule = ours.rules.get(name)
    if rule == "reject":
        raise OverrideRejected(hint=f"{ours.name}.{name}")
    if rule == "pinned" and name in ours.members:
        kept.dropped.append(f"{ours.name}.{name}")
        return
    merged[name] = value
    kept.app_fields.append(f"{ours.name}.{name}")

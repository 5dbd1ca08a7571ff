"""The policy on generation parameters: which of an app's fields go out beside the version's.

Strategy: everything that depends on the version alone becomes a table from wire names to rules
when the version is loaded; a request is one walk over its fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import msgspec

from proxy.dialects.base import JsonValue, Parameter
from proxy.dialects.raw import Buffer, Raw, is_null, key_bytes
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Content, FieldRule

# How an app wants its answer delivered; it decides nothing about what the answer is.
TRANSPORT = frozenset({"stream", "stream_options"})

# What a version may set of its own accord: these names come back in a header, in a list.
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)

# An app may invent names; the log line has room for a name.
MAX_NAME = 64

# Keys that many requests have, written once.
_KEYS: Final = {
    name: key_bytes(name)
    for name in (
        *("stream", "stream_options", "user", "metadata", "store", "n", "seed", "stop"),
        *("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens"),
        *("response_format", "tool_choice", "parallel_tool_calls", "reasoning", "include"),
        *("reasoning_effort", "service_tier", "safety_identifier", "prompt_cache_key"),
        *("stop_sequences", "thinking", "container", "thread", "cache_control"),
    )
}


class Rule(Enum):
    """What happens to one field that an app sent."""

    DROP = "drop"  # the version's value wins
    YIELD = "yield"  # the app's value wins over the version's
    REJECT = "reject"  # the request is refused
    SKIP = "skip"  # the dialect itself has taken care of it
    ONCE = "once"  # a setting of several names: the older ones are dropped if the newer is there


# Looked up once: members of an enumeration are slow to get at.
_DROP, _SKIP = Rule.DROP, Rule.SKIP


@dataclass(frozen=True, slots=True)
class Settings:
    """A version's generation part for one dialect.

    `pinned` is `,"name":value` of every field that always goes out, `members` the same by wire
    name. `defaults` maps the wire name of a field that yields to the app's to such bytes. `rules`
    is by wire name. `same` maps every name of a setting that has several to the name that is
    preferred.
    """

    pinned: bytes
    members: Mapping[str, bytes]
    defaults: Mapping[str, bytes]
    rules: Mapping[str, Rule]
    same: Mapping[str, str]


class Kept(msgspec.Struct, gc=False):
    """The outcome of one walk: pieces to send, and names for stamp and log line."""

    pieces: list[Buffer]
    dropped: list[str]
    app_fields: list[str]


def settings(
    content: Content,
    dialect: str,
    parameters: Iterable[Parameter],
    values: Mapping[str, JsonValue],
    own: Collection[str],
    skipped: Iterable[str] = (),
) -> Settings:
    """Make the table for `content` in `dialect`.

    `values` maps generation fields that the version sets to their value in this dialect. `own`
    names the fields that the dialect composes itself, `skipped` extras that it does. Raises
    `WrongDialect` if the version sets a field that the dialect has no name for, or an extra that
    is not the version's to set.
    """
    known = {parameter.field: parameter for parameter in parameters}
    if foreign := sorted(values.keys() - known.keys()):
        raise WrongDialect(hint=f"the version sets {', '.join(foreign)}")
    extra = dict(content.generation.extra.get(dialect, {}))
    for name in skipped:
        extra.pop(name, None)
    if not (TRANSPORT | set(own)).isdisjoint(extra) or not all(map(is_parameter, extra)):
        raise WrongDialect(hint="generation.extra sets what is not a version's to set")
    known |= {name: Parameter(name, name) for name in extra if _is_new(name, known.values())}
    set_values = {**values, **{name: value for name, value in extra.items() if name in known}}
    return _table(content, known, set_values, own)


def is_parameter(name: str) -> bool:
    """Say whether `name` can be that of a parameter."""
    return _PARAMETER.fullmatch(name) is not None


def _is_new(name: str, parameters: Iterable[Parameter]) -> bool:
    """An extra that has a neutral name must be set by that: two rules for one field would clash."""
    if any(name in (parameter.field, *parameter.names) for parameter in parameters):
        raise WrongDialect(hint=f"generation.extra sets {name}, which has a name of its own")
    return True


def _table(
    content: Content,
    known: Mapping[str, Parameter],
    values: Mapping[str, JsonValue],
    own: Iterable[str],
) -> Settings:
    members, defaults = {}, {}
    rules: dict[str, Rule] = {}
    for name, parameter in known.items():
        rule = content.policy.fields.get(name, content.policy.generation)
        value = _member(parameter.wire, values[name]) if name in values else b""
        rules |= _rules(parameter, rule, is_set=name in values)
        if value and rule == "default":
            defaults[parameter.wire] = value
        elif value:
            members[parameter.wire] = value
    rules |= dict.fromkeys(own, Rule.SKIP)
    same = {name: p.wire for p in known.values() if p.aliases for name in p.names}
    return Settings(b"".join(members.values()), members, defaults, rules, same)


def narrowed(table: Settings, keep: Callable[[str], bool]) -> Settings:
    """Return `table` for requests in which those of the version's fields go out that `keep` says
    yes to, by wire name. The rules for the app's fields stay."""
    members = {name: value for name, value in table.members.items() if keep(name)}
    defaults = {name: value for name, value in table.defaults.items() if keep(name)}
    pinned = b"".join(members.values())
    return replace(table, pinned=pinned, members=members, defaults=defaults)


def _rules(parameter: Parameter, rule: FieldRule, *, is_set: bool) -> dict[str, Rule]:
    if rule == "reject":
        return dict.fromkeys(parameter.names, Rule.REJECT)
    if is_set:
        return dict.fromkeys(parameter.names, Rule.DROP if rule == "pinned" else Rule.YIELD)
    return dict.fromkeys(parameter.names if parameter.aliases else (), Rule.ONCE)


def _member(name: str, value: JsonValue) -> bytes:
    return key_bytes(name) + msgspec.json.encode(value)


def walk(fields: Mapping[str, Raw], table: Settings) -> Kept:
    """Sort an app's fields. Raises `OverrideRejected`.

    An explicit null counts as not sent: SDKs write it for parameters that were left alone.
    """
    pieces: list[Buffer] = []
    dropped: list[str] = []
    app_fields: list[str] = []
    kept = Kept(pieces, dropped, app_fields)
    missing = dict(table.defaults) if table.defaults else None
    rules = table.rules
    for name, raw in fields.items():
        rule = rules.get(name)
        if rule is None:
            # This and what is dropped as in `_apply`, without its calls: nearly every field.
            pieces += (_KEYS.get(name) or key_bytes(name), raw)
            if name not in TRANSPORT:
                app_fields.append(name[:MAX_NAME])
        elif rule is _DROP:
            if len(raw) != 4 or not is_null(raw):
                dropped.append(name)
        elif rule is not _SKIP:
            _apply(rule, name, raw, fields, table, kept, missing)
    if missing:
        pieces.extend(missing.values())
    return kept


def _keep(kept: Kept, name: str, raw: Raw) -> None:
    kept.pieces += (_KEYS.get(name) or key_bytes(name), raw)
    if name not in TRANSPORT:
        kept.app_fields.append(name)


def _apply(
    rule: Rule,
    name: str,
    raw: Raw,
    fields: Mapping[str, Raw],
    table: Settings,
    kept: Kept,
    missing: dict[str, bytes] | None,
) -> None:
    if is_null(raw):
        return
    if rule is Rule.REJECT:
        raise OverrideRejected(hint=name)
    newer = table.same.get(name, name)
    if rule is _DROP or (newer != name and _is_sent(newer, fields)):
        kept.dropped.append(name)
        return
    if missing is not None:
        missing.pop(newer, None)
    _keep(kept, name, raw)


def _is_sent(name: str, fields: Mapping[str, Raw]) -> bool:
    return name in fields and not is_null(fields[name])

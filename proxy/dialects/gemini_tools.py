"""Tools as Gemini's API has them: function declarations in one entry of `tools`, beside tools that
are the vendor's own; and the choice among them, which is a member of `toolConfig`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from proxy.dialects.base import JsonValue
from proxy.dialects.gemini_names import Spellings, one_spelling, spellings
from proxy.dialects.policy import Kept
from proxy.dialects.raw import (
    Buffer,
    Fields,
    Raw,
    is_null,
    key_bytes,
    read_as,
    read_list,
    read_nested,
    starts_object,
)
from proxy.dialects.tools import AppTools
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Content, FieldRule, NamedTool, Tool

FIELD = "tools"
CONFIG = "toolConfig"
DECLARATIONS = "functionDeclarations"
CHOICE = "functionCallingConfig"
CHOICE_NAME = f"{CONFIG}.{CHOICE}"
ALLOWED = "allowedFunctionNames"

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}

_ENTRY: Spellings = spellings([DECLARATIONS])
_CONFIG: Spellings = spellings([CHOICE])
_CHOICE: Spellings = spellings([ALLOWED])


class _Named(msgspec.Struct, gc=False):
    name: str = ""


_NAMED = msgspec.json.Decoder(_Named)
_NAMES = msgspec.json.Decoder(frozenset[str])


def tool(definition: Tool) -> JsonValue:
    """Return a declaration. A strict tool is as any other: the API has no word for it.

    Raises `WrongDialect` for parameters that are no object's.
    """
    flat = definition.model_dump(mode="json", exclude_defaults=True, exclude={"strict"})
    given = flat.pop("parameters", None)
    if not given:
        return flat
    schema = {"type": "object", **given}
    if schema["type"] != "object":
        raise WrongDialect(hint=f"the parameters of tool {definition.name} are no object")
    return {**flat, "parametersJsonSchema": schema}


def extend_tools(ours: AppTools, fields: Fields, kept: Kept) -> bytes:
    """Return `,"tools":[…]` for the request, or nothing, and note in `kept` what was dropped.

    Raises `OverrideRejected` if the policy refuses tools and the app sent some.
    """
    raw = fields.get(FIELD)
    if raw is None or is_null(raw):
        return _list([ours.definitions], [])
    if ours.rule == "reject":
        raise OverrideRejected(hint=FIELD)
    if ours.rule == "pinned" and ours.definitions:
        kept.dropped.append(FIELD)
        return _list([ours.definitions], [])
    kept.app_fields.append(FIELD)
    if not ours.definitions:
        return key_bytes(FIELD) + bytes(raw)
    declared: list[bytes] = []
    others: list[bytes] = []
    dropped: dict[str, None] = {}
    for entry in _each(raw):
        sent = read_nested(entry, "every one of tools")
        members = one_spelling(sent, _ENTRY)
        declarations = members.get(DECLARATIONS)
        for item in _each(declarations) if declarations is not None else ():
            name = read_as(_NAMED, item, "every function must be an object").name
            if name in ours.names:
                dropped[f"{FIELD}.{name}"] = None
            else:
                declared.append(bytes(item))
        others += _without_declarations(members)
    kept.dropped += dropped
    return _list([ours.definitions, *declared], others)


def _each(raw: Raw) -> list[Raw]:
    """Google's APIs take a single object for a list of one."""
    if is_null(raw):
        return []
    return [raw] if starts_object(raw) else read_list(raw)


def _without_declarations(members: Fields) -> Iterator[bytes]:
    """Yield what an entry of the app's has beside functions, if it has something."""
    pieces = [key_bytes(n) + bytes(raw) for n, raw in members.items() if n != DECLARATIONS]
    if pieces:
        yield b"{%b}" % b"".join(pieces)[1:]


def _list(declarations: list[bytes], others: list[bytes]) -> bytes:
    inner = b",".join(filter(None, declarations))
    if not inner:
        return b""
    return b',"tools":[%b]' % b",".join((b'{"functionDeclarations":[%b]}' % inner, *others))


@dataclass(frozen=True, slots=True)
class OwnChoice:
    """`choice` is the version's, as JSON, empty if it sets none. `names` are the functions that
    there are, where the app's are dropped; None where they are not."""

    choice: bytes
    rule: FieldRule
    names: frozenset[str] | None

    @classmethod
    def of(cls, content: Content, tools: AppTools) -> OwnChoice:
        rule = content.policy.fields.get("tool_choice", content.policy.generation)
        alone = tools.rule == "pinned" and tools.definitions
        return cls(_written(content), rule, tools.names if alone else None)


def _written(content: Content) -> bytes:
    choice = content.generation.tool_choice
    if choice is None:
        return b""
    if isinstance(choice, NamedTool):
        return msgspec.json.encode({"mode": "ANY", ALLOWED: [choice.name]})
    return msgspec.json.encode({"mode": _MODES[choice]})


def merge_choice(ours: OwnChoice, raw: Raw | None, kept: Kept, *, has_tools: bool) -> bytes:
    """Return `,"toolConfig":{…}`, or nothing. Raises `OverrideRejected`.

    The vendor refuses a choice where there are no functions, so the version's goes out with tools
    only. What else an app has in `toolConfig` passes.
    """
    own = ours.choice if has_tools else b""
    if raw is None or is_null(raw):
        return b'%b{"%b":%b}' % (key_bytes(CONFIG), CHOICE.encode(), own) if own else b""
    theirs = one_spelling(read_nested(raw, CONFIG), _CONFIG)
    choice = theirs.get(CHOICE)
    chosen: Buffer = own
    if choice is not None and not is_null(choice):
        chosen = choice if _passes(ours, choice, kept) else own
    others = {name: value for name, value in theirs.items() if name != CHOICE}
    kept.app_fields += [f"{CONFIG}.{name[:64]}" for name in others]
    return _config(chosen, others)


def _config(chosen: Buffer, others: Mapping[str, Raw]) -> bytes:
    pieces = [key_bytes(CHOICE) + bytes(chosen)] if chosen else []
    pieces += [key_bytes(name) + bytes(value) for name, value in others.items()]
    return key_bytes(CONFIG) + b"{%b}" % b"".join(pieces)[1:]


def _passes(ours: OwnChoice, choice: Raw, kept: Kept) -> bool:
    """Say whether the app's choice goes out, and note what becomes of it.

    A choice of functions that were dropped goes with them.
    """
    if ours.rule == "reject":
        raise OverrideRejected(hint=CHOICE_NAME)
    pinned = ours.rule == "pinned" and ours.choice
    passes = not pinned and not (ours.names is not None and _allowed(choice) - ours.names)
    (kept.app_fields if passes else kept.dropped).append(CHOICE_NAME)
    return passes


def _allowed(choice: Raw) -> frozenset[str]:
    raw = one_spelling(read_nested(choice, CHOICE_NAME), _CHOICE).get(ALLOWED)
    if raw is None or is_null(raw):
        return frozenset()
    return read_as(_NAMES, raw, f"{ALLOWED} must be a list of names")

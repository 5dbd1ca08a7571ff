"""A version's generation part for Gemini's API: `generationConfig`, merged member by member.

A response format is one setting that takes several members: they go out together, all of the
version's or all of the app's. What is not in `generationConfig` stands at the top of the body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from proxy.dialects import neutral, policy
from proxy.dialects.base import JsonValue, Parameter
from proxy.dialects.gemini_names import Spellings, camel, one_spelling, spellings
from proxy.dialects.policy import Kept
from proxy.dialects.raw import Fields, Raw, is_null, key_bytes, read_nested
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Content, FieldRule

NAME = "gemini.generate"
FIELD = "generationConfig"

PARAMETERS = (
    Parameter("temperature", "temperature"),
    Parameter("top_p", "topP"),
    Parameter("top_k", "topK"),
    Parameter("max_output_tokens", "maxOutputTokens"),
    Parameter("stop", "stopSequences"),
    Parameter("seed", "seed"),
    Parameter("presence_penalty", "presencePenalty"),
    Parameter("frequency_penalty", "frequencyPenalty"),
)

# The members that a response format takes; the last is what older clients call the one before.
FORMAT = ("responseMimeType", "responseSchema", "responseJsonSchema", "_responseJsonSchema")

# What the dialect composes itself, at the top of the body.
OWN = (
    *("model", "contents", "systemInstruction", "tools", "toolConfig", FIELD, "cachedContent"),
    "proxy_variables",
)

# A version's extras that stand at the top of the body; all others are in `generationConfig`.
TOP = frozenset({"safetySettings", "labels", "serviceTier"})
# Extras of requests for embeddings, which have no `generationConfig`.
EMBEDDING = frozenset({"taskType", "title", "outputDimensionality", "autoTruncate"})

# Where the API's ranges end before those of a version.
MOST_STOPS = 5
MOST_INTEGER = 2**31 - 1

_PLAIN_TEXT = {"responseMimeType": "text/plain"}
_JSON = {"responseMimeType": "application/json"}

# Settings that this API has elsewhere, or as several members.
_COMPOSED = ("response_format", "tool_choice")

_HERE = frozenset(
    {*OWN, *FORMAT, *TOP, *EMBEDDING, *(name for p in PARAMETERS for name in p.names)}
)


@dataclass(frozen=True, slots=True)
class OwnConfig:
    """`table` is of the plain parameters, `format` the response format's members, as JSON, empty if
    the version sets none. `known` has the other spellings of all of them."""

    table: policy.Settings
    format: bytes
    format_rule: FieldRule
    known: Spellings

    @classmethod
    def of(cls, content: Content) -> OwnConfig:
        """Raises `WrongDialect` for what this API lacks or would refuse."""
        _check_ranges(content)
        values = neutral.neutral_values(content.generation)
        for name in _COMPOSED:
            values.pop(name, None)
        table = policy.settings(content, NAME, PARAMETERS, values, FORMAT, (*TOP, *EMBEDDING))
        names = {*table.rules, *(p.wire for p in PARAMETERS)}
        rule = content.policy.fields.get("response_format", content.policy.generation)
        return cls(table, _format(content), rule, spellings(names))


def _check_ranges(content: Content) -> None:
    given = content.generation
    if len(given.stop) > MOST_STOPS:
        raise WrongDialect(hint=f"the version sets more than {MOST_STOPS} stop sequences")
    for name in ("seed", "top_k", "max_output_tokens"):
        if abs(getattr(given, name) or 0) > MOST_INTEGER:
            raise WrongDialect(hint=f"the version sets a {name} of more than 32 bits")


def check_extras(content: Content) -> None:
    """Raise `WrongDialect` for an extra under another spelling than the one that is looked for, or
    of a field that the dialect composes."""
    for name in content.generation.extra.get(NAME, {}):
        if name in OWN:
            raise WrongDialect(hint="generation.extra sets what is not a version's to set")
        if camel(name) != name and camel(name) in _HERE:
            raise WrongDialect(hint=f"generation.extra has {name}; here it is {camel(name)}")


def top_table(content: Content) -> policy.Settings:
    """Make the table of the fields at the top of a body."""
    others = content.generation.extra.get(NAME, {}).keys() - TOP
    return policy.settings(content, NAME, (), {}, OWN, others)


def embedding_table(content: Content) -> policy.Settings:
    """Make the table of the fields of a request for an embedding."""
    others = content.generation.extra.get(NAME, {}).keys() - EMBEDDING
    return policy.settings(content, NAME, (), {}, (), others)


def _format(content: Content) -> bytes:
    """Return the version's response format; its name, its strictness and what is said of it have no
    place in this API."""
    wanted = content.generation.response_format
    if wanted is None:
        return b""
    found: dict[str, JsonValue] = dict(_PLAIN_TEXT if wanted.type == "text" else _JSON)
    if wanted.type == "json_schema":
        found["responseJsonSchema"] = neutral.json_schema(wanted)["schema"]
    return b"".join(key_bytes(name) + msgspec.json.encode(value) for name, value in found.items())


def merge_config(ours: OwnConfig, raw: Raw | None, kept: Kept) -> bytes:
    """Return `,"generationConfig":{…}`, or nothing where neither side sets it. Raises
    `OverrideRejected`."""
    given: Fields = {} if raw is None or is_null(raw) else read_nested(raw, FIELD)
    theirs = one_spelling(given, ours.known)
    found = policy.walk(theirs, ours.table)
    format_ = _settled(ours, theirs, found)
    kept.dropped += [f"{FIELD}.{name}" for name in found.dropped]
    kept.app_fields += [f"{FIELD}.{name}" for name in found.app_fields]
    inner = b"".join((ours.table.pinned, format_, *map(bytes, found.pieces)))
    if not inner:
        # Nothing of anybody's: it goes out as it came.
        return b"" if raw is None or given else key_bytes(FIELD) + bytes(raw)
    return key_bytes(FIELD) + b"{%b}" % inner[1:]


def _settled(ours: OwnConfig, theirs: Mapping[str, Raw], found: Kept) -> bytes:
    """Return the version's response format where it goes out; the app's is added to `found`."""
    sent = [name for name in FORMAT if name in theirs and not is_null(theirs[name])]
    if not sent:
        return ours.format
    if ours.format_rule == "reject":
        raise OverrideRejected(hint=sent[0])
    if ours.format_rule == "pinned" and ours.format:
        found.dropped += sent
        return ours.format
    for name in sent:
        found.pieces += (key_bytes(name), theirs[name])
    found.app_fields += sent
    return b""


def advice(content: Content) -> Iterator[str]:
    strict = [tool.name for tool in content.tools if tool.strict]
    if strict:
        yield f"{', '.join(strict)}: this API has no word for a tool that is strict"

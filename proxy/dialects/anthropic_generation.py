"""A version's generation part for the Messages API: its tables, by kind of call, and its betas."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from proxy.dialects import anthropic_common as common
from proxy.dialects import neutral, policy
from proxy.dialects.anthropic_cache import EXTRAS, KEY
from proxy.dialects.anthropic_output import FIELD as OUTPUT
from proxy.dialects.base import JsonValue, Parameter
from proxy.errors import WrongDialect
from proxy.versions.content import Content

Tables = Mapping[tuple[str, bool], policy.Settings]
"""By kind of call, and by whether there is room for a cache breakpoint of the whole request."""


NAME = "anthropic.messages"
COUNT = "count_tokens"

PARAMETERS = (
    Parameter("temperature", "temperature"),
    Parameter("top_p", "top_p"),
    Parameter("top_k", "top_k"),
    Parameter("max_output_tokens", "max_tokens"),
    Parameter("stop", "stop_sequences"),
)

# Settings that are one object on the wire with others, so that they are no plain fields.
_COMPOSED = ("response_format", "tool_choice", "parallel_tool_calls")

OWN = (
    *("model", "messages", "system", "tool_choice", "output_config", "output_format"),
    "proxy_variables",
)

# The vendor must be told a limit. This one goes out where neither the version nor the app has one.
USUAL_MAX_TOKENS = 4096

# This API's range ends where that of others goes on to 2.
MOST_TEMPERATURE = 1

# What `count_tokens` takes of all that a version may set; it refuses the rest.
COUNTED = frozenset(
    {
        *("cache_control", "thinking", "speed", "mcp_servers", "context_management"),
        *("compaction", "billing_policy"),
    }
)

_BETA = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def tables(content: Content, own: Collection[str]) -> Tables:
    """Make the tables for `content`; `own` are fields that the dialect composes beside `OWN`.

    Raises `WrongDialect` for what this API lacks or would refuse.
    """
    table = _table(_with_limit(content), own)
    keys = [(kind, room) for kind in ("", COUNT) for room in (False, True)]
    return {(kind, room): _narrowed(table, kind, room=room) for kind, room in keys}


def sampling(content: Content) -> tuple[str, ...]:
    """Return the fields that the version sets and the newer API refuses."""
    return tuple(n for n in common.SAMPLING if getattr(content.generation, n) is not None)


def not_there(names: Collection[str]) -> str:
    """Say why a version that sets these is not served to those who speak the newer API."""
    listed = ", ".join(names)
    return f"the version sets {listed}, which anthropic-version {common.WITHOUT_SAMPLING} refuses"


def advice(content: Content) -> Iterator[str]:
    if content.generation.max_output_tokens is None:
        yield f"no max_output_tokens: {USUAL_MAX_TOKENS} where an app sends no max_tokens"
    if names := sampling(content):
        yield f"{not_there(names)}: apps that speak it are answered with wrong_dialect"


def _with_limit(content: Content) -> Content:
    """Return `content` with a limit to the output, which this API does not do without.

    Its SDKs make an app send one, so a policy that rejects all fields does not reject this: the
    version's wins. Raises `WrongDialect` if there is none to win.
    """
    generation, rules = content.generation, content.policy
    rule = rules.fields.get("max_output_tokens", rules.generation)
    fields = dict(rules.fields)
    if generation.max_output_tokens is None:
        if rule == "reject":
            raise WrongDialect(hint="the version rejects max_tokens and sets no max_output_tokens")
        fields["max_output_tokens"] = "default"
        generation = generation.model_copy(update={"max_output_tokens": USUAL_MAX_TOKENS})
    elif "max_output_tokens" not in fields and rule == "reject":
        fields["max_output_tokens"] = "pinned"
    policy_ = rules.model_copy(update={"fields": fields})
    return content.model_copy(update={"generation": generation, "policy": policy_})


def _table(content: Content, own: Collection[str]) -> policy.Settings:
    values = neutral.neutral_values(content.generation)
    for name in _COMPOSED:
        values.pop(name, None)
    if values.get("temperature", 0) > MOST_TEMPERATURE:
        raise WrongDialect(hint=f"the version sets a temperature above {MOST_TEMPERATURE}")
    if "thread" in content.generation.extra.get(NAME, {}):
        raise WrongDialect(hint="generation.extra sets what is not a version's to set")
    skipped = (OUTPUT, "betas", *EXTRAS)
    return policy.settings(content, NAME, PARAMETERS, values, (*OWN, *own), skipped)


def _narrowed(table: policy.Settings, kind: str, *, room: bool) -> policy.Settings:
    """Return `table` for a kind of call, with or without room for one more cache breakpoint."""

    def goes(name: str) -> bool:
        return (room or name != KEY) and (not kind or name in COUNTED)

    return policy.narrowed(table, goes)


def added_headers(betas: JsonValue) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that a version's extra `betas` adds to. Raises `WrongDialect`."""
    if betas is None:
        return ()
    if not isinstance(betas, list) or not all(map(_is_beta, betas)):
        raise WrongDialect(hint="betas must be a list of names")
    return ((common.BETA, ",".join(betas).encode()),) if betas else ()


def _is_beta(value: JsonValue) -> bool:
    return isinstance(value, str) and _BETA.fullmatch(value) is not None

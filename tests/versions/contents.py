"""Contents of every kind, for property tests: drawn with hypothesis, always valid."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from proxy.complaints import MAX_SAFE_INTEGER, unfit
from proxy.versions.content import Content
from proxy.versions.template import placeholders

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
keys = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
tool_names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
variable_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)

scalars = (
    st.booleans()
    | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not unfit(number))
    | texts
)
values_without_null = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
values = st.recursive(
    scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects_without_null = st.dictionaries(keys, values_without_null, max_size=3)

vendor_models = st.fixed_dictionaries({"vendor": names, "id": texts.filter(bool)})

response_formats = (
    st.just({"type": "text"})
    | st.just({"type": "json_object"})
    | st.fixed_dictionaries(
        {"type": st.just("json_schema"), "name": tool_names, "schema": objects_without_null},
        optional={"strict": st.booleans(), "description": texts},
    )
)

generations = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2) | st.integers(0, 2),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(0, 100),
        "max_output_tokens": st.integers(1, 100_000),
        "stop": st.lists(texts, max_size=3),
        "seed": st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
        "presence_penalty": st.floats(-2, 2),
        "response_format": response_formats,
        "tool_choice": st.sampled_from(["auto", "none", "required", {"name": "search"}]),
        "parallel_tool_calls": st.booleans(),
        "extra": st.dictionaries(
            st.sampled_from(["openai.chat", "openai.responses"]),
            objects_without_null.filter(bool),
            max_size=2,
        ),
    },
)

parameters = st.builds(
    lambda rest, schema: {**rest, **schema},
    st.dictionaries(keys.filter(lambda k: k not in ("type", "properties", "required")), values),
    st.fixed_dictionaries({}, optional={"type": st.just("object")}),
)

tools = st.lists(
    st.fixed_dictionaries(
        {"name": tool_names},
        optional={"description": texts, "parameters": parameters, "strict": st.booleans()},
    ),
    max_size=3,
    unique_by=lambda tool: tool["name"],
)

messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": texts}),
    max_size=3,
)

numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)
enums = st.lists(texts, min_size=1, max_size=3, unique=True).flatmap(
    lambda values: st.fixed_dictionaries(
        {
            "type": st.just("enum"),
            "values": st.just(values),
            "default": st.sampled_from(values),
        }
    )
)
variables = st.dictionaries(
    variable_names,
    st.just({})
    | st.sampled_from(["string", "number", "boolean"]).map(
        lambda kind: {"type": kind, "required": True}
    )
    | st.fixed_dictionaries({"default": texts | st.booleans() | numbers})
    | st.fixed_dictionaries({"type": st.just("number"), "default": numbers})
    | st.fixed_dictionaries({"type": st.just("boolean"), "default": st.booleans()})
    | st.fixed_dictionaries({"type": st.just("string"), "max_length": st.integers(1, 99)})
    | enums,
    max_size=3,
)

policies = st.fixed_dictionaries(
    {},
    optional={
        "system": st.sampled_from(["replace", "append", "reject"]),
        "generation": st.sampled_from(["pinned", "default", "reject"]),
        "tools": st.sampled_from(["pinned", "extend", "reject"]),
        "fields": st.dictionaries(
            st.sampled_from(["temperature", "seed", "stop"]),
            st.sampled_from(["pinned", "default", "reject"]),
        ),
    },
)

spares = vendor_models | st.builds(
    lambda model, seconds: {**model, "first_byte_timeout_s": seconds},
    vendor_models,
    st.integers(1, 1000),
)
routings = st.fixed_dictionaries(
    {},
    optional={
        "timeout_s": st.floats(0.5, 1000) | st.integers(1, 1000),
        "attempts": st.integers(1, 10),
        "connect_timeout_s": st.floats(0.5, 10),
        "first_byte_timeout_s": st.integers(1, 1000),
        "idle_timeout_s": st.floats(0.5, 1000),
        "retry_on": st.lists(st.sampled_from(["status:429", "status:404", "status:529"])),
        "may_bill_twice": st.booleans(),
        "breaker": st.just({})
        | st.fixed_dictionaries(
            {"failures": st.integers(1, 100), "all_open": st.sampled_from(["try", "refuse"])}
        )
        | st.fixed_dictionaries(
            {"failure_rate": st.floats(0.01, 1), "min_requests": st.integers(1, 99)}
        ),
        "fallback": st.lists(spares, max_size=2),
    },
) | st.fixed_dictionaries(
    {
        "weight": st.integers(1, 1000),
        "sticky": st.lists(st.sampled_from(["user", "header:x-a", "field:metadata.b"]), max_size=8),
        "targets": st.lists(
            st.builds(
                lambda target, weight: {**target, "weight": weight},
                vendor_models,
                st.integers(1, 1000),
            ),
            min_size=1,
            max_size=3,
        ),
    }
)


@st.composite
def contents(draw: st.DrawFn, *, system: st.SearchStrategy[str] = texts) -> Content:
    """Draw a valid content. Every placeholder that a text happens to hold is declared."""
    plain: dict[str, Any] = {
        "model": draw(vendor_models),
        "system": draw(system),
        "messages": draw(messages),
        "user": draw(system),
        "generation": draw(generations),
        "tools": draw(tools),
        "variables": draw(variables),
        "policy": draw(policies),
        "routing": draw(routings),
    }
    if plain["user"]:
        plain["policy"]["messages"] = draw(st.sampled_from(["append", "prepend", "reject"]))
    drawn_texts = [
        plain["system"],
        plain["user"],
        *(message["content"] for message in plain["messages"]),
    ]
    for text in drawn_texts:
        plain["variables"] |= {name: {} for name in placeholders(text)}
    return Content.model_validate(plain)


# What system.md can hold: reading it takes CRLF for LF and drops one byte order mark.
prompts = texts.filter(lambda text: "\r\n" not in text and not text.startswith("\ufeff")).map(
    lambda text: text.removesuffix("\r")
)

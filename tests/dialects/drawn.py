"""Versions that a dialect can carry, and bodies of apps, drawn with hypothesis.

Both are put together from ready pieces, so that many can be drawn in a short time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from proxy.dialects.anthropic_generation import PARAMETERS as MESSAGES_PARAMETERS
from proxy.dialects.base import Dialect, Parameter
from proxy.dialects.gemini_generation import PARAMETERS as GEMINI_PARAMETERS
from proxy.dialects.openai_chat import PARAMETERS as CHAT_PARAMETERS
from proxy.dialects.openai_responses import PARAMETERS as RESPONSES_PARAMETERS
from proxy.versions.content import Content
from tests.dialects.composing import (
    ALL,
    CHAT,
    CONFIG,
    GEMINI,
    MESSAGES,
    RESPONSES,
    list_name,
    version,
)

# --- versions

GENERATION: dict[str, Sequence[Any]] = {
    "temperature": (0, 0.5, 2),
    "top_p": (1, 0.25),
    "top_k": (0, 40),
    "max_output_tokens": (1, 300),
    "stop": (["END"], ["a", 'b"']),
    "seed": (0, -7),
    "presence_penalty": (-2, 0.5),
    "frequency_penalty": (0, 1.5),
    "response_format": (
        {"type": "text"},
        {"type": "json_schema", "name": "answer", "schema": {"x": [1.5, None]}, "strict": False},
    ),
    "tool_choice": ("auto", "required", {"name": "search"}),
    "parallel_tool_calls": (True, False),
}
EXTRAS: dict[str, Sequence[Any]] = {
    "reasoning_effort": ("low", None),
    "verbosity": ("low", {"a": [1.5]}),
    "logit_bias": ({"1": -100},),
}
TEXTS = ("", "", "Ours.", 'Ours "\\" \u2028 é😀\n\x00', "{ {not} }", "{{ x }} {{y}}")
TOOLS: Sequence[Any] = (
    [],
    [],
    [{"name": "search"}],
    [{"name": "a", "description": 'Ü"', "parameters": {"type": "object", "x": [1.5]}}],
    [{"name": "search", "strict": True}, {"name": "mine", "strict": False}],
)
SHOTS: Sequence[Any] = (
    [],
    [],
    [{"role": "user", "content": "{{x}}?"}, {"role": "assistant", "content": 'A "\\"'}],
)
USERS = ("", "", 'On {{x}}: "\\" {{ y }}')
SYSTEM_RULES = ("replace", "append", "replace", "append", "reject")
FIELD_RULES = ("pinned", "default", "pinned", "default", "reject")
TOOLS_RULES = ("pinned", "extend", "pinned", "extend", "reject")


PARAMETERS = {
    CHAT: CHAT_PARAMETERS,
    RESPONSES: RESPONSES_PARAMETERS,
    MESSAGES: MESSAGES_PARAMETERS,
    GEMINI: GEMINI_PARAMETERS,
}

# Settings that are one object with others, and so no plain parameters.
COMPOSED = {
    CHAT: (),
    RESPONSES: ("response_format",),
    MESSAGES: ("response_format", "tool_choice", "parallel_tool_calls"),
    GEMINI: ("response_format", "tool_choice"),
}

# What ends earlier in one dialect than in others.
NARROWER: dict[Dialect, dict[str, Sequence[Any]]] = {MESSAGES: {"temperature": (0, 0.5, 1)}}


def parameters(dialect: Dialect) -> tuple[Parameter, ...]:
    return PARAMETERS[dialect]


def settable(dialect: Dialect) -> dict[str, Sequence[Any]]:
    """Return the fields that a version may set in `dialect`, with values."""
    known = {*(parameter.field for parameter in parameters(dialect)), *COMPOSED[dialect]}
    values = {**GENERATION, **NARROWER.get(dialect, {})}
    return {name: values[name] for name in sorted(known)}


def _is_served(dialect: Dialect, content: Content) -> bool:
    """Anthropic's API needs a limit, so it cannot be rejected where the version has none."""
    rule = content.policy.fields.get("max_output_tokens", content.policy.generation)
    limited = content.generation.max_output_tokens is not None
    return dialect is not MESSAGES or limited or rule != "reject"


def _optional(values: dict[str, Sequence[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={n: st.sampled_from(v) for n, v in values.items()})


def _versions(dialect: Dialect) -> st.SearchStrategy[Content]:
    values = settable(dialect)
    generation = _optional(values)
    policy = {
        "system": st.sampled_from(SYSTEM_RULES),
        "generation": st.sampled_from(FIELD_RULES),
        "tools": st.sampled_from(TOOLS_RULES),
        "fields": st.dictionaries(
            st.sampled_from(sorted(values)), st.sampled_from(FIELD_RULES[:2]), max_size=2
        ),
    }
    return st.builds(
        lambda generation, extra, **parts: version(
            generation={**generation, "extra": {dialect.name: extra} if extra else {}},
            variables={"x": {}, "y": {"default": "preset"}},
            **parts,
        ),
        generation=generation,
        extra=_optional(EXTRAS),
        system=st.sampled_from(TEXTS),
        messages=st.sampled_from(SHOTS),
        user=st.sampled_from(USERS),
        tools=st.sampled_from(TOOLS),
        policy=st.fixed_dictionaries(policy),
    ).filter(lambda content: _is_served(dialect, content))


# --- bodies

# Values spelled in ways that a writer of JSON would not choose.
VALUES = (
    *("null", "1.50e0", "-0", "12345678901234567890123", "true", '"\\u00e9\\/é"', "[ ]", "{ }"),
    *('[1, {"a":"b"} ]', '{ "type" :"text", "x":[[1.0]] }'),
)
SAID = (
    '{ "role":"user", "content":"hi\\u0021" }',
    '{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}',
    '{"role":"system","content":"theirs \\u00e9"}',
    '{"role":"developer","content":[{"type":"text","text":"theirs"}]}',
    '{"content":"late","role":"\\u0073ystem"}',
    '{"role":"user","content":"\\"}],"}',
)
CONTENTS = (
    '{ "role":"user", "parts":[{"text":"hi\\u0021"}] }',
    '{"role":"model","parts":[{"functionCall":{"name":"a"},"thoughtSignature":"QQ=="}]}',
    '{"parts":{"text" : "one"},"role":"user"}',
    '{"role":"user","parts":[{"text":"\\"}],"}]}',
)
SHAPED = {
    "model": ('"recommender"', '"other"'),
    "instructions": ("null", '"theirs"', '""'),
    "tools": (
        *("null", "[]", '[{"type":"function","function":{"name":"mine"}}]'),
        '[ {"type":"function","name":"search"}, { "type":"function","name":"mine" } ]',
    ),
    "functions": ("null", '[{"name":"mine"}]'),
    "text": ("null", "{}", '{"format":{"type":"text"},"verbosity": "low"}'),
    "tool_choice": ("null", '"auto"', '{"type":"function","name":"mine"}', '{"type":"new"}'),
    "stream": ("null", "true", "false"),
    "proxy_variables": ("null", "{}", '{"x":"{{y}}"}', '{"y":1.5,"x":true}'),
    "prompt": ("null", '{"id":"recommender","variables":{}}'),
    "previous_response_id": ("null", '"resp_1"'),
}
# What a dialect has that others have not, or in another shape.
OTHERWISE: dict[Dialect, dict[str, Sequence[str]]] = {
    MESSAGES: {
        "system": (
            *("null", '""', "[ ]", '"theirs \\u00e9"'),
            '[{"type":"text","text":"theirs","cache_control":{"type":"ephemeral"}} ]',
        ),
        "tools": ("null", "[]", '[ {"name":"search"}, { "name":"mine","input_schema":{} } ]'),
        "tool_choice": (
            *("null", '{"type":"auto"}', '{"type":"tool", "name":"mine"}', '{"type":"none"}'),
            '{"type" : "any","disable_parallel_tool_use":true}',
        ),
        "output_config": ("null", "{}", '{"effort":"low"}', '{"format":{"type": "json_schema"}}'),
        "output_format": ("null", '{"type":"json_schema"}'),
        "thread": ("null", '{"type":"create"}'),
        "cache_control": ("null", '{"type":"ephemeral"}'),
    }
}
GEMINI_SHAPED: dict[str, Sequence[str]] = {
    "model": ('"other"', "null"),
    "systemInstruction": ("null", "{}", '{"parts":[{"text":"theirs \\u00e9"} ],"role":"user"}'),
    "tools": (
        *("null", "[]", "[ {} ]", '[{"googleSearch":{}}]'),
        '[{"function_declarations":[{"name":"search"},{ "name":"mine" }],"codeExecution":{}}]',
        '[{"functionDeclarations":[{"name":"mine"}]}, {"googleSearch" : {}}]',
    ),
    "toolConfig": (
        *("null", "{}", '{"retrievalConfig":{"a" :1}}', '{"functionCallingConfig":{"mode":"ANY"}}'),
        '{"function_calling_config":{"mode":"ANY","allowed_function_names":["mine"]},"x":1}',
    ),
    "proxy_variables": ("null", "{}", '{"x":"{{y}}"}', '{"y":1.5,"x":true}'),
    "safetySettings": ("null", "[ ]", '[{"category":"X"}]'),
    "labels": ('{ "team":"shop"}',),
    "größe": ("1.50e0",),
}
GEMINI_FREE = (
    *("temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed", *EXTRAS),
    *("presencePenalty", "frequencyPenalty", "candidateCount", "thinkingConfig", "thinking_config"),
    *("responseMimeType", "responseSchema", "responseJsonSchema", "new\nfield", "", 'a"b'),
    "x" * 100,
)
FREE = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "stop"),
    *("seed", "response_format", "parallel_tool_calls", "function_call", "n", "user", "metadata"),
    *(
        "stream_options",
        "top_k",
        "stop_sequences",
        *EXTRAS,
        "new\nfield",
        "größe",
        "",
        'a"b',
        "presence_penalty",
        "x" * 100,
    ),
)


def _spellings(name: str) -> Iterator[str]:
    yield json.dumps(name)
    if name:
        yield f'"\\u{ord(name[0]):04x}{json.dumps(name[1:])[1:]}'


def _pool(dialect: Dialect) -> list[str]:
    """Return members of a body, each name with each value it may have, in several spellings."""
    if dialect is GEMINI:
        return _spelled(GEMINI_SHAPED)
    return _spelled({**dict.fromkeys(FREE, VALUES), **SHAPED, **OTHERWISE.get(dialect, {})})


def _spelled(values: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"{blank}{key}{blank}:{blank}{value}{blank}"
        for name, some in values.items()
        for key in _spellings(name)
        for value in some
        for blank in ("", " \n")
    ]


def _list_of(items: Sequence[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda items, blank: f"[{blank}{f',{blank}'.join(items)}{blank}]",
        st.lists(st.sampled_from(items), max_size=4),
        st.sampled_from(["", " \t"]),
    )


messages = {dialect: _list_of(CONTENTS if dialect is GEMINI else SAID) for dialect in ALL}
# Gemini's parameters, in their object, which may be there twice.
_config = st.lists(st.sampled_from(_spelled(dict.fromkeys(GEMINI_FREE, VALUES))), max_size=5).map(
    lambda drawn: f'"{CONFIG}" : {{{",".join(drawn)}}}'
) | st.just(f'"{CONFIG}":null')


def _bodies(dialect: Dialect) -> st.SearchStrategy[str]:
    """Bodies that `dialect` can read; names may be there twice."""
    name = list_name(dialect)
    said = messages[dialect]
    if dialect is RESPONSES:
        said |= st.sampled_from(['"hi"', "null"])
    member = st.sampled_from(_pool(dialect))
    rest = st.lists(member | _config if dialect is GEMINI else member, max_size=5)
    members = st.builds(
        lambda before, text, after: [*before, f'"{name}":{text}', *after], rest, said, rest
    )
    return members.map(lambda drawn: f"{{{','.join(drawn)}}}")


versions = {dialect: _versions(dialect) for dialect in ALL}
bodies = {dialect: _bodies(dialect) for dialect in ALL}

"""What of a request would be a version's, and that this version sends the same."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.dialects import adopt
from proxy.dialects.registry import ADOPTERS
from proxy.errors import RequestError
from proxy.versions.content import Content
from tests.dialects.composing import ALL, CHAT, GEMINI, MESSAGES, RESPONSES, in_every_dialect, read

USERS = "what-a-user-said"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def adopted(dialect, body):
    """Return the content, what was left out, and what the version would send otherwise."""
    body = body if dialect is GEMINI else {"model": "gpt-4o", **body}
    asked = read(dialect, body)
    part = ADOPTERS[dialect.name].adopt(asked.fields)
    plain = adopt.plain_content(part, dialect.name, "openai", "gpt-4o")
    content = Content.model_validate(plain)
    return content, part.left_out, adopt.remaining(content, dialect, asked)


def said(*before):
    return {"messages": [*before, {"role": "user", "content": USERS}]}


def chat(**fields):
    return {**said({"role": "system", "content": "Be kind."}), **fields}


FULL_CHAT = chat(
    temperature=0.5,
    max_tokens=100,
    stop=["END"],
    seed=7,
    reasoning_effort="low",
    response_format={
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    },
    tools=[
        {
            "type": "function",
            "function": {"name": "search", "description": "Find.", "parameters": SCHEMA},
        }
    ],
    tool_choice={"type": "function", "function": {"name": "search"}},
    parallel_tool_calls=False,
    stream=True,
    stream_options={"include_usage": True},
    user="somebody",
    metadata={"a": "b"},
)
FULL_RESPONSES = {
    "instructions": "Be kind.",
    "input": USERS,
    "temperature": 0.5,
    "max_output_tokens": 100,
    "reasoning": {"effort": "low"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
    "tools": [{"type": "function", "name": "search", "parameters": SCHEMA, "strict": True}],
    "tool_choice": {"type": "function", "name": "search"},
    "previous_response_id": "resp_1",
    "store": False,
}
FULL_MESSAGES = {
    **said(),
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    "max_tokens": 100,
    "temperature": 0.5,
    "top_k": 40,
    "stop_sequences": ["END"],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "search", "description": "Find.", "input_schema": SCHEMA}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "metadata": {"user_id": "somebody"},
}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": USERS}]}]}
FULL_GEMINI = {
    **CONTENTS,
    "system_instruction": {"parts": [{"text": "Be kind."}]},
    "generationConfig": {
        "temperature": 0.5,
        "maxOutputTokens": 100,
        "topK": 40,
        "stopSequences": ["END"],
        "thinkingConfig": {"thinkingBudget": 0},
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    },
    "tools": [{"functionDeclarations": [{"name": "search", "parametersJsonSchema": SCHEMA}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["search"]}},
    "safetySettings": [{"category": "a", "threshold": "b"}],
    "labels": {"who": "somebody"},
}
FULL = {
    CHAT: FULL_CHAT,
    RESPONSES: FULL_RESPONSES,
    MESSAGES: FULL_MESSAGES,
    GEMINI: FULL_GEMINI,
}


def test_there_is_an_adopter_for_each_dialect_that_generates():
    assert set(ADOPTERS) == {dialect.name for dialect in ALL}


@in_every_dialect
def test_the_version_has_the_prompt_and_the_parameters(dialect):
    content, left_out, _ = adopted(dialect, FULL[dialect])

    generation = content.generation
    assert (content.system, content.model.id) == ("Be kind.", "gpt-4o")
    assert (generation.temperature, generation.max_output_tokens) == (0.5, 100)
    assert [tool.name for tool in content.tools] == ["search"]
    assert generation.response_format.json_schema == SCHEMA
    assert left_out == []


@in_every_dialect
def test_the_version_sends_what_the_app_sent(dialect):
    _, _, differs = adopted(dialect, FULL[dialect])

    # One setting, which has two names in chat.
    assert differs == (("max_completion_tokens", "max_tokens") if dialect is CHAT else ())


@in_every_dialect
def test_nothing_that_a_user_said_or_is_becomes_a_versions(dialect):
    content, _, _ = adopted(dialect, FULL[dialect])

    text = content.model_dump_json()
    assert not any(word in text for word in (USERS, "somebody", "resp_1"))


@in_every_dialect
def test_an_app_without_a_prompt_of_its_own_keeps_deciding_it(dialect):
    body = {RESPONSES: {"input": USERS}, GEMINI: CONTENTS}.get(dialect, said())
    extra = {"max_tokens": 5} if dialect is MESSAGES else {}

    content, _, differs = adopted(dialect, {**body, **extra})

    assert content.policy.system == "append"
    assert differs == ()


@in_every_dialect
def test_parameters_that_are_no_versions_are_named_and_stay_the_apps(dialect):
    body = {**FULL[dialect], "prediction_x": {"content": USERS}}

    content, left_out, differs = adopted(dialect, body)

    assert left_out == ["prediction_x"]
    assert "prediction_x" not in differs
    assert USERS not in content.model_dump_json()


@pytest.mark.parametrize(
    ("dialect", "tool", "name"),
    [
        (CHAT, {"type": "custom", "custom": {"name": "x"}}, "tools.custom"),
        (RESPONSES, {"type": "web_search"}, "tools.web_search"),
        (RESPONSES, {"type": "mcp", "authorization": "secret"}, "tools.mcp"),
        (MESSAGES, {"type": "web_search_20250305", "name": "w"}, "tools.web_search_20250305"),
        (MESSAGES, "nonsense", "tools.unknown"),
        (GEMINI, {"google_search": {}}, "tools.googleSearch"),
    ],
)
def test_hosted_tools_are_left_to_the_app(dialect, tool, name):
    body = {**FULL[dialect], "tools": [*FULL[dialect]["tools"], tool]}

    try:
        content, left_out, _ = adopted(dialect, body)
    except RequestError:
        assert tool == "nonsense"  # which the vendor would refuse
        return

    assert (left_out, content.policy.tools) == ([name], "extend")
    assert "secret" not in content.model_dump_json()


def test_one_word_to_stop_at_is_a_list_of_one():
    content, _, differs = adopted(CHAT, said() | {"stop": "END"})

    assert (content.generation.stop, differs) == (("END",), ("stop",))


def test_system_messages_in_front_are_one_prompt():
    before = [{"role": "system", "content": "One."}, {"role": "developer", "content": "Two."}]

    content, _, differs = adopted(CHAT, said(*before))

    assert content.system == "One.\n\nTwo."
    assert differs == ("messages", "messages.system")


def test_parts_of_a_prompt_are_one_text():
    parts = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]

    assert adopted(MESSAGES, {**said(), "system": parts})[0].system == "One.\n\nTwo."


@pytest.mark.parametrize(
    ("dialect", "body", "name"),
    [
        (CHAT, said({"role": "user", "content": "a"}, {"role": "system", "content": "later"}), ""),
        (CHAT, said({"role": "system", "content": [{"type": "image_url"}]}), ""),
        (MESSAGES, said({"role": "system", "content": "later"}), ""),
        (MESSAGES, {**said(), "system": [{"type": "image"}]}, "system"),
    ],
)
def test_prompts_that_no_version_has_are_named(dialect, body, name):
    part = ADOPTERS[dialect.name].adopt(read(dialect, {"model": "m", **body}).fields)

    assert (part.system, part.left_out) == ("", [name or "messages.system"])


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (RESPONSES, {"input": "a", "prompt": {"id": "pmpt_1"}}),
        (MESSAGES, {**said(), "thread": {"type": "continue", "id": "t"}}),
        (GEMINI, {**CONTENTS, "cached_content": "cachedContents/1"}),
    ],
)
def test_what_the_vendor_holds_cannot_be_adopted(dialect, body):
    assert ADOPTERS[dialect.name].adopt(read(dialect, {"model": "m", **body}).fields) is None


def test_a_schema_with_types_in_capitals_becomes_json_schema():
    older = {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}
    tools = [{"functionDeclarations": {"name": "search", "parameters": older}}]

    content, _, differs = adopted(GEMINI, {**CONTENTS, "tools": tools})

    expected = {"type": "object", "properties": {"type": {"type": "string"}}}
    assert content.tools[0].parameters == expected
    assert differs == ("tools",)


def test_an_answers_schema_in_geminis_older_form_stays_the_apps():
    config = {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}}

    content, left_out, differs = adopted(GEMINI, {**CONTENTS, "generationConfig": config})

    assert content.generation.response_format is None
    assert left_out == ["generationConfig.responseMimeType", "generationConfig.responseSchema"]
    assert differs == ()


def test_what_looks_like_a_placeholder_stays_as_it_is():
    body = said({"role": "system", "content": "Say {{ name }} and {{name2}}, {not this}."})

    content, _, differs = adopted(CHAT, body)

    assert set(content.variables) == {"name", "name2"}
    assert differs == ()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("auto", "auto"), ("required", "required"), ({"type": "allowed_tools"}, None)],
)
def test_a_choice_is_taken_over_where_a_version_has_it(choice, expected):
    content, left_out, _ = adopted(CHAT, chat(tool_choice=choice))

    assert content.generation.tool_choice == expected
    assert left_out == ([] if expected else ["tool_choice"])


def test_the_older_name_of_a_format_is_one():
    body = {**said(), "max_tokens": 5, "output_format": {"type": "json_schema", "schema": SCHEMA}}

    content, _, _ = adopted(MESSAGES, body)

    assert content.generation.response_format.json_schema == SCHEMA


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["auto", "function", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "role", "content", "text", "format", "function", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
NAMES = [
    *("messages", "system", "input", "instructions", "tools", "tool_choice", "text", "stop"),
    *("systemInstruction", "toolConfig", "generationConfig", "contents"),
    *("response_format", "output_config", "output_format", "temperature", "thread", "thinking"),
]


@in_every_dialect
@given(body=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6))
@example(body={"tool_choice": {"type": []}})
@example(body={"system": [{"type": []}]})
@example(body={"toolConfig": {"functionCallingConfig": {"mode": []}}})
def test_whatever_is_sent_is_read_or_refused(dialect, body):
    fields = read(dialect, json.dumps({"model": "m", **body})).fields

    try:
        part = ADOPTERS[dialect.name].adopt(fields)
        if part is not None:
            Content.model_validate(adopt.plain_content(part, dialect.name, "openai", "m"))
    except (RequestError, ValueError):
        return

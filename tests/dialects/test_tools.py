"""The policy on tools, as a table: every rule, with tools of the version's and without."""

import json
from itertools import product

import pytest

from proxy.errors import InvalidRequest, OverrideRejected
from tests.dialects.composing import (
    CHAT,
    MESSAGES,
    RESPONSES,
    compose,
    says,
    version,
)
from tests.wire.spelled import elements

# Gemini has functions in one entry of the list: `test_gemini_tools.py` plays the same table.
where_each_is_an_entry = pytest.mark.parametrize(
    "dialect", [CHAT, RESPONSES, MESSAGES], ids=lambda one: one.name
)

SEARCH = {"name": "search", "description": "Search.", "parameters": {"type": "object"}}

# Tools as an app writes them, by dialect: one of its own, and one that the version has too.
MINE = {
    CHAT: '{ "type":"function", "function":{"name":"mine","parameters":{"x":1.0e0}} }',
    RESPONSES: '{ "type":"function", "name":"mine","parameters":{"x":1.0e0} }',
    MESSAGES: '{ "name":"mine", "input_schema":{"type":"object","x":1.0e0} }',
}
THEIR_SEARCH = {
    CHAT: '{"type":"function","function":{"name":"search"}}',
    RESPONSES: '{"type":"function","name":"search"}',
    MESSAGES: '{"name":"search","input_schema":{"type":"object"}}',
}
SENT = {
    "nothing": None,
    "null": "null",
    "none": "[ ]",
    "mine": "[ {mine} ]",
    "both": "[{search}, {mine}]",
    "both twice": "[{search},{search},{mine}]",
}
REFUSED = "refused"
AS_SENT = "as sent"

# What goes out as tools, what is dropped, what the app decided: by (rule, version has tools).
TABLE = {
    ("pinned", True): {
        "nothing": (["search"], (), ()),
        "null": (["search"], (), ()),
        "none": (["search"], ("tools",), ()),
        "mine": (["search"], ("tools",), ()),
        "both": (["search"], ("tools",), ()),
        "both twice": (["search"], ("tools",), ()),
    },
    ("extend", True): {
        "nothing": (["search"], (), ()),
        "null": (["search"], (), ()),
        "none": (["search"], (), ("tools",)),
        "mine": (["search", "mine"], (), ("tools",)),
        "both": (["search", "mine"], ("tools.search",), ("tools",)),
        "both twice": (["search", "mine"], ("tools.search",), ("tools",)),
    },
    ("reject", True): {
        **dict.fromkeys(SENT, (REFUSED, (), ())),
        **dict.fromkeys(["nothing", "null"], (["search"], (), ())),
    },
    ("pinned", False): {
        **dict.fromkeys(SENT, (AS_SENT, (), ("tools",))),
        **dict.fromkeys(["nothing", "null"], (None, (), ())),
    },
    ("reject", False): {
        **dict.fromkeys(SENT, (REFUSED, (), ())),
        **dict.fromkeys(["nothing", "null"], (None, (), ())),
    },
}
TABLE["extend", False] = TABLE["pinned", False]

CASES = [
    pytest.param(rule, has, sent, *TABLE[rule, has][sent], id=f"{rule}-{has}-{sent}")
    for rule, has, sent in product(("pinned", "extend", "reject"), (True, False), SENT)
]


def content(rule, has_tools=True, **parts):
    return version(tools=[SEARCH] if has_tools else [], policy={"tools": rule}, **parts)


def asks(dialect, **spelled):
    """Return an app's body with fields spelled in a certain way; None leaves one out."""
    fields = [f',"{name}":{text}' for name, text in spelled.items() if text is not None]
    return f"{json.dumps(says(dialect))[:-1]}{''.join(fields)}}}"


def written(dialect, sent):
    if sent is None:
        return None
    return sent.replace("{mine}", MINE[dialect]).replace("{search}", THEIR_SEARCH[dialect])


def names(tools):
    return [tool.get("function", tool)["name"] for tool in tools]


@where_each_is_an_entry
@pytest.mark.parametrize(("rule", "has_tools", "sent", "out", "dropped", "app_fields"), CASES)
def test_tools_go_out_by_the_rule(dialect, rule, has_tools, sent, out, dropped, app_fields):
    tools = written(dialect, SENT[sent])
    if out == REFUSED:
        with pytest.raises(OverrideRejected):
            compose(dialect, content(rule, has_tools), asks(dialect, tools=tools))
        return

    received = compose(dialect, content(rule, has_tools), asks(dialect, tools=tools))

    if out == AS_SENT:
        assert received.spelled["tools"] == tools
    elif out is None:
        assert "tools" not in received.fields
    else:
        assert names(received.fields["tools"]) == out
    assert (received.dropped, received.app_fields) == (dropped, app_fields)


@where_each_is_an_entry
def test_tools_of_the_app_stand_behind_and_keep_their_spelling(dialect):
    tools = written(dialect, "[ {mine} , {search} ]")

    received = compose(dialect, content("extend"), asks(dialect, tools=tools))

    assert elements(received.spelled["tools"])[1:] == [MINE[dialect]]


def test_chat_writes_a_tool_nested():
    received = compose(CHAT, content("pinned"), says(CHAT))

    assert received.fields["tools"] == [{"type": "function", "function": SEARCH}]


def test_responses_write_a_tool_flat_with_the_keys_that_are_required():
    bare = version(tools=[{"name": "bare"}, {"name": "strict", "strict": True}])

    bare_tool, strict = compose(RESPONSES, bare, says(RESPONSES)).fields["tools"]

    assert bare_tool == {"type": "function", "name": "bare", "parameters": {}, "strict": None}
    assert strict["strict"] is True


@pytest.mark.parametrize("hosted", ['{"type":"web_search"}', '{"type":"mcp","server_label":"x"}'])
def test_tools_that_the_vendor_runs_extend_too(hosted):
    received = compose(RESPONSES, content("extend"), asks(RESPONSES, tools=f"[{hosted}]"))

    assert elements(received.spelled["tools"])[1] == hosted


@where_each_is_an_entry
@pytest.mark.parametrize("tools", ['"search"', "{}", "[1]", "[null]", '[{"name":1}]'])
def test_tools_that_are_none_are_refused_where_they_would_be_merged(dialect, tools):
    with pytest.raises(InvalidRequest):
        compose(dialect, content("extend"), asks(dialect, tools=tools))


# --- chat's older names

FUNCTIONS, CALL = '[{"name": "mine"}]', '{"name":"mine"}'


@pytest.mark.parametrize(
    ("sent", "dropped"),
    [
        ({"functions": FUNCTIONS}, ("functions",)),
        ({"function_call": CALL}, ("function_call",)),
        (
            {"function_call": '"auto"', "functions": FUNCTIONS, "tools": "[]"},
            ("tools", "functions", "function_call"),
        ),
        ({"functions": FUNCTIONS, "tools": "null"}, ("functions",)),
    ],
)
def test_older_names_for_tools_are_dropped_with_them(sent, dropped):
    received = compose(CHAT, content("pinned"), asks(CHAT, **sent))

    assert names(received.fields["tools"]) == ["search"]
    assert {"functions", "function_call"}.isdisjoint(received.fields)
    assert (received.dropped, received.app_fields) == (dropped, ())


@pytest.mark.parametrize("name", ["functions", "function_call"])
@pytest.mark.parametrize("has_tools", [True, False])
def test_older_names_for_tools_are_refused_with_them(name, has_tools):
    with pytest.raises(OverrideRejected):
        compose(CHAT, content("reject", has_tools), asks(CHAT, **{name: CALL}))

    compose(CHAT, content("reject", has_tools), asks(CHAT, **{name: "null"}))


@pytest.mark.parametrize(("rule", "has_tools"), [("extend", True), ("pinned", False)])
def test_older_names_for_tools_pass_where_tools_do(rule, has_tools):
    sent = {"functions": FUNCTIONS, "function_call": CALL, "tools": "null"}

    received = compose(CHAT, content(rule, has_tools), asks(CHAT, **sent))

    assert received.spelled["functions"] == FUNCTIONS
    assert received.spelled["function_call"] == CALL
    assert received.app_fields == ("functions", "function_call")


def test_responses_know_no_older_names():
    received = compose(RESPONSES, content("reject"), asks(RESPONSES, functions=FUNCTIONS))

    assert received.spelled["functions"] == FUNCTIONS


# --- a choice of a tool

CHOICES = {
    CHAT: '{{"type":"function","function":{{"name":"{}"}}}}',
    RESPONSES: '{{"type":"function","name":"{}"}}',
    MESSAGES: '{{"type":"tool","name":"{}"}}',
}


@where_each_is_an_entry
def test_a_choice_goes_with_the_tool_that_was_dropped(dialect):
    choice = CHOICES[dialect].format("mine")

    received = compose(dialect, content("pinned"), asks(dialect, tool_choice=choice))

    assert "tool_choice" not in received.fields
    assert received.dropped == ("tool_choice",)


@where_each_is_an_entry
@pytest.mark.parametrize(
    ("rule", "has_tools", "name"),
    [("pinned", True, "search"), ("pinned", False, "mine"), ("extend", True, "mine")],
)
def test_a_choice_of_a_tool_that_is_there_passes(dialect, rule, has_tools, name):
    choice = CHOICES[dialect].format(name)

    received = compose(dialect, content(rule, has_tools), asks(dialect, tool_choice=choice))

    assert received.spelled["tool_choice"] == choice
    assert (received.dropped, received.app_fields) == ((), ("tool_choice",))


@where_each_is_an_entry
@pytest.mark.parametrize("choice", ['"required"', '{"type":"allowed_tools"}'])
def test_a_choice_that_names_no_tool_passes(dialect, choice):
    received = compose(dialect, content("pinned"), asks(dialect, tool_choice=choice))

    assert received.spelled["tool_choice"] == choice


@pytest.mark.parametrize(
    ("dialect", "written_as"),
    [
        (CHAT, {"type": "function", "function": {"name": "search"}}),
        (RESPONSES, {"type": "function", "name": "search"}),
        (MESSAGES, {"type": "tool", "name": "search"}),
    ],
)
def test_a_choice_of_the_versions_is_written_as_the_dialect_wants_it(dialect, written_as):
    pinned = content("pinned", generation={"tool_choice": {"name": "search"}})

    auto = '{"type":"auto"}' if dialect is MESSAGES else '"auto"'
    for choice in (auto, CHOICES[dialect].format("mine"), None):
        received = compose(dialect, pinned, asks(dialect, tool_choice=choice))

        assert received.fields["tool_choice"] == written_as
        assert received.dropped == (("tool_choice",) if choice else ())


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=lambda one: one.name)
@pytest.mark.parametrize("rule", ["pinned", "default"])
@pytest.mark.parametrize("tools", [None, "null", "[ ]", "[{mine}]"])
def test_how_to_call_tools_goes_out_only_where_there_are_some(dialect, rule, tools):
    made = version(
        generation={"tool_choice": "required", "parallel_tool_calls": False, "temperature": 0.5},
        policy={"generation": rule},
    )
    body = asks(dialect, tools=tools and tools.replace("{mine}", MINE[dialect]))

    received = compose(dialect, made, body)

    found = {name: received.fields.get(name) for name in ("tool_choice", "parallel_tool_calls")}
    has_tools = tools == "[{mine}]"
    assert (list(found.values()) == ["required", False]) is has_tools
    assert (list(found.values()) == [None, None]) is not has_tools
    assert received.fields["temperature"] == 0.5


def test_an_app_that_sends_chats_older_functions_has_tools():
    made = version(generation={"tool_choice": "auto"})
    body = {**says(CHAT), "functions": [{"name": "mine"}]}

    assert compose(CHAT, made, body).fields["tool_choice"] == "auto"

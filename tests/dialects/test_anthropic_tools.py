"""Tools and `tool_choice` of the Messages API: one object, two settings, each with its rule."""

import json

import pytest

from proxy.errors import InvalidRequest, OverrideRejected, WrongDialect
from tests.dialects.composing import MESSAGES, compose, says, version

TOOLS = [{"name": "search"}]
FLAG = "disable_parallel_tool_use"
WHICH_NAME, FLAG_NAME = "tool_choice", f"tool_choice.{FLAG}"


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        ({}, {"type": "object"}),
        ({"properties": {"x": {}}}, {"type": "object", "properties": {"x": {}}}),
        ({"required": [], "type": "object"}, {"required": [], "type": "object"}),
    ],
)
def test_the_schema_of_a_tool_is_an_objects(parameters, schema):
    content = version(tools=[{"name": "search", "parameters": parameters, "strict": True}])

    (tool,) = compose(MESSAGES, content, says(MESSAGES)).fields["tools"]

    assert tool == {"name": "search", "strict": True, "input_schema": schema}


def test_a_tool_that_takes_no_object_is_not_served():
    with pytest.raises(WrongDialect) as caught:
        MESSAGES.compile(version(tools=[{"name": "search", "parameters": {"type": "array"}}]))

    assert "search" in caught.value.hint


def test_tools_that_the_vendor_runs_extend_too():
    hosted = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    content = version(tools=TOOLS, policy={"tools": "extend"})

    received = compose(MESSAGES, content, says(MESSAGES, tools=[hosted]))

    assert received.fields["tools"][1] == hosted


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"name": "search"}, {"type": "tool", "name": "search"}),
    ],
)
@pytest.mark.parametrize("parallel", [None, True, False])
def test_a_choice_is_written_as_this_api_has_it(choice, written, parallel):
    generation = {"tool_choice": choice, "parallel_tool_calls": parallel}

    received = compose(MESSAGES, version(tools=TOOLS, generation=generation), says(MESSAGES))

    flag = {} if parallel is None or choice == "none" else {FLAG: not parallel}
    assert received.fields["tool_choice"] == {**written, **flag}


def test_calls_one_at_a_time_are_a_choice_of_their_own():
    content = version(tools=TOOLS, generation={"parallel_tool_calls": False})

    received = compose(MESSAGES, content, says(MESSAGES))

    assert received.fields["tool_choice"] == {"type": "auto", FLAG: True}


@pytest.mark.parametrize("sent", [{}, {"tools": []}, {"tool_choice": None}])
def test_a_choice_of_the_versions_needs_tools(sent):
    """The vendor refuses a choice where there are none."""
    generation = {"tool_choice": "required", "parallel_tool_calls": False}

    received = compose(MESSAGES, version(generation=generation), says(MESSAGES, **sent))

    assert "tool_choice" not in received.fields


def test_a_choice_of_the_versions_goes_out_with_tools_of_the_apps():
    content = version(generation={"tool_choice": "required"})

    received = compose(MESSAGES, content, says(MESSAGES, tools=[{"name": "mine"}]))

    assert received.fields["tool_choice"] == {"type": "any"}


BOTH = {"type": "tool", "name": "search", FLAG: False}
OURS = {"tool_choice": "required", "parallel_tool_calls": False}

# What goes out, what is dropped, what the app decided: by the rule of `tool_choice` and that of
# `parallel_tool_calls`, where the version sets both and the app sends both.
TABLE = {
    ("pinned", "pinned"): ({"type": "any", FLAG: True}, [WHICH_NAME, FLAG_NAME], []),
    ("default", "pinned"): ({**BOTH, FLAG: True}, [FLAG_NAME], [WHICH_NAME]),
    ("pinned", "default"): ({"type": "any", FLAG: False}, [WHICH_NAME], [FLAG_NAME]),
    ("default", "default"): (BOTH, [], [WHICH_NAME, FLAG_NAME]),
}


@pytest.mark.parametrize("rules", TABLE, ids="-".join)
def test_each_of_the_two_settings_has_its_own_rule(rules):
    out, dropped, app_fields = TABLE[rules]
    fields = dict(zip(("tool_choice", "parallel_tool_calls"), rules, strict=True))
    content = version(tools=TOOLS, generation=OURS, policy={"fields": fields})

    received = compose(MESSAGES, content, says(MESSAGES, tool_choice=BOTH))

    assert received.fields["tool_choice"] == out
    assert (list(received.dropped), list(received.app_fields)) == (dropped, app_fields)


@pytest.mark.parametrize(
    ("field", "refused", "passes"),
    [
        ("tool_choice", {"type": "auto"}, {FLAG: True}),
        ("parallel_tool_calls", {"type": "auto", FLAG: True}, {"type": "any"}),
    ],
)
def test_each_of_the_two_settings_is_rejected_alone(field, refused, passes):
    content = version(tools=TOOLS, policy={"fields": {field: "reject"}})

    with pytest.raises(OverrideRejected):
        compose(MESSAGES, content, says(MESSAGES, tool_choice=refused))
    received = compose(MESSAGES, content, says(MESSAGES, tool_choice=passes))
    assert passes.items() <= received.fields["tool_choice"].items()


def test_a_choice_that_is_all_the_apps_keeps_its_spelling():
    choice = '{ "type" : "auto", "new":1.0e0 }'
    body = f'{json.dumps(says(MESSAGES))[:-1]},"tool_choice":{choice}}}'

    received = compose(MESSAGES, version(tools=TOOLS), body)

    assert received.spelled["tool_choice"] == choice
    assert received.app_fields == ("tool_choice",)


def test_a_choice_that_is_no_object_is_refused_where_it_would_be_merged():
    content = version(tools=TOOLS, generation={"parallel_tool_calls": False})

    with pytest.raises(InvalidRequest):
        compose(MESSAGES, content, says(MESSAGES, tool_choice="auto"))

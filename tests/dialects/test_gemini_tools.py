"""The policy on tools where functions are declared in one entry of a list, and the choice among
them."""

import json

import pytest

from proxy.errors import InvalidRequest, OverrideRejected, WrongDialect
from tests.dialects.composing import GEMINI, compose, says, version
from tests.dialects.test_tools import AS_SENT, CASES, REFUSED, SEARCH, SENT, asks, content
from tests.wire.spelled import elements, members

MINE = '{ "name":"mine", "parameters":{"type":"OBJECT","x":1.0e0} }'
THEIR_SEARCH = '{"name":"search","parameters_json_schema":{}}'
GOOGLE = '{ "googleSearch":{} }'

OURS = {
    "name": "search",
    "description": "Search.",
    "parametersJsonSchema": {"type": "object"},
}


def declared(*functions, key="functionDeclarations", beside=""):
    return f'{{ "{key}" : [{",".join(functions)}]{beside} }}'


def written(sent):
    """Write a line of the table: all of the app's functions in one entry."""
    if sent in (None, "null"):
        return sent
    listed = sent.strip("[] ").replace("{mine}", MINE).replace("{search}", THEIR_SEARCH)
    return f"[ {declared(listed)} ]" if listed else "[ ]"


def functions(fields):
    entries = fields.get("tools", [])
    return [one["name"] for entry in entries for one in entry.get("functionDeclarations", [])]


@pytest.mark.parametrize(("rule", "has_tools", "sent", "out", "dropped", "app_fields"), CASES)
def test_functions_go_out_by_the_rule(rule, has_tools, sent, out, dropped, app_fields):
    tools = written(SENT[sent])
    if out == REFUSED:
        with pytest.raises(OverrideRejected):
            compose(GEMINI, content(rule, has_tools), asks(GEMINI, tools=tools))
        return

    received = compose(GEMINI, content(rule, has_tools), asks(GEMINI, tools=tools))

    if out == AS_SENT:
        assert received.spelled["tools"] == tools
    else:
        assert functions(received.fields) == (out or [])
    assert (received.dropped, received.app_fields) == (dropped, app_fields)


def test_a_function_goes_out_with_its_schema_as_json_schema():
    received = compose(GEMINI, content("pinned"), says(GEMINI))

    assert received.fields["tools"] == [{"functionDeclarations": [OURS]}]


def test_a_function_without_parameters_has_no_schema_and_none_is_strict():
    tools = [{"name": "now", "strict": True}]

    received = compose(GEMINI, version(tools=tools), says(GEMINI))

    assert received.fields["tools"] == [{"functionDeclarations": [{"name": "now"}]}]
    (advice,) = GEMINI.advice(version(tools=tools))
    assert advice.startswith("now: ")


def test_parameters_are_those_of_an_object():
    def declared_as(schema):
        return compose(GEMINI, version(tools=[{"name": "a", "parameters": schema}]), says(GEMINI))

    (entry,) = declared_as({"properties": {"x": {}}}).fields["tools"]

    (function,) = entry["functionDeclarations"]
    assert function["parametersJsonSchema"] == {"type": "object", "properties": {"x": {}}}
    with pytest.raises(WrongDialect):
        declared_as({"type": "string"})


@pytest.mark.parametrize("key", ["functionDeclarations", "function_declarations"])
def test_the_apps_functions_join_the_versions_and_other_tools_stand_behind(key):
    entry = declared(THEIR_SEARCH, MINE, key=key, beside=', "codeExecution":{}')

    received = compose(GEMINI, content("extend"), asks(GEMINI, tools=f"[{GOOGLE},{entry}]"))

    first, *others = elements(received.spelled["tools"])
    ((name, functions_),) = members(first)
    assert name == "functionDeclarations"
    assert [json.loads(one)["name"] for one in elements(functions_)] == ["search", "mine"]
    assert elements(functions_)[1] == MINE
    assert [json.loads(other) for other in others] == [{"googleSearch": {}}, {"codeExecution": {}}]
    assert received.dropped == ("tools.search",)


def test_one_object_is_a_list_of_one_as_google_takes_it():
    entry = f'{{"functionDeclarations":{MINE}}}'

    received = compose(GEMINI, content("extend"), asks(GEMINI, tools=entry))

    assert functions(received.fields) == ["search", "mine"]


def test_declarations_under_two_names_are_refused():
    entry = '{"functionDeclarations":[],"function_declarations":[{"name":"search"}]}'

    with pytest.raises(InvalidRequest, match="under two names"):
        compose(GEMINI, content("extend"), asks(GEMINI, tools=f"[{entry}]"))


@pytest.mark.parametrize(
    "tools", ['"search"', "[1]", '[{"functionDeclarations":1}]', '[{"functionDeclarations":[1]}]']
)
def test_what_are_no_tools_is_refused_where_it_would_be_merged(tools):
    with pytest.raises(InvalidRequest):
        compose(GEMINI, content("extend"), asks(GEMINI, tools=tools))


# --- the choice

ANY = {"mode": "ANY"}


def choice(config):
    return {"toolConfig": {"functionCallingConfig": config}}


@pytest.mark.parametrize(
    ("ours", "out"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"name": "search"}, {"mode": "ANY", "allowedFunctionNames": ["search"]}),
    ],
)
def test_a_choice_of_the_versions_is_a_mode(ours, out):
    chosen = version(tools=[SEARCH], generation={"tool_choice": ours})

    assert compose(GEMINI, chosen, says(GEMINI)).fields["toolConfig"] == (
        {"functionCallingConfig": out}
    )


def test_a_choice_of_the_versions_goes_out_with_tools_only():
    chosen = version(generation={"tool_choice": "required"})

    assert "toolConfig" not in compose(GEMINI, chosen, says(GEMINI)).fields
    with_tools = says(GEMINI, tools=[{"functionDeclarations": [{"name": "mine"}]}])
    assert "toolConfig" in compose(GEMINI, chosen, with_tools).fields


@pytest.mark.parametrize("key", ["functionCallingConfig", "function_calling_config"])
@pytest.mark.parametrize(
    ("rule", "out", "dropped", "listed"),
    [
        ("pinned", {"mode": "NONE"}, ("toolConfig.functionCallingConfig",), ()),
        ("default", ANY, (), ("toolConfig.functionCallingConfig",)),
        ("reject", None, (), ()),
    ],
)
def test_an_apps_choice_is_under_the_rule(key, rule, out, dropped, listed):
    policy = {"fields": {"tool_choice": rule}}
    chosen = version(tools=[SEARCH], generation={"tool_choice": "none"}, policy=policy)
    body = says(GEMINI, toolConfig={key: ANY, "retrievalConfig": {"x": 1}})
    if out is None:
        with pytest.raises(OverrideRejected):
            compose(GEMINI, chosen, body)
        return

    received = compose(GEMINI, chosen, body)

    assert received.fields["toolConfig"] == {
        "functionCallingConfig": out,
        "retrievalConfig": {"x": 1},
    }
    assert (received.dropped, received.app_fields) == (
        dropped,
        (*listed, "toolConfig.retrievalConfig"),
    )


@pytest.mark.parametrize("key", ["allowedFunctionNames", "allowed_function_names"])
def test_a_choice_of_functions_that_were_dropped_goes_with_them(key):
    body = says(GEMINI, **choice({**ANY, key: ["mine"]}))

    received = compose(GEMINI, content("pinned"), body)

    assert received.fields.get("toolConfig", {}) == {}
    assert received.dropped == ("toolConfig.functionCallingConfig",)


@pytest.mark.parametrize(
    ("rule", "has_tools", "name"),
    [("pinned", True, "search"), ("pinned", False, "mine"), ("extend", True, "mine")],
)
def test_a_choice_of_functions_that_are_there_passes(rule, has_tools, name):
    chosen = f'{{"mode" :"ANY","allowedFunctionNames":["{name}"]}}'
    sent = f'{{"functionCallingConfig":{chosen}}}'

    received = compose(GEMINI, content(rule, has_tools), asks(GEMINI, toolConfig=sent))

    assert received.spelled["toolConfig"] == sent
    assert received.app_fields == ("toolConfig.functionCallingConfig",)
    assert received.dropped == ()


@pytest.mark.parametrize("sent", ["null", "{}", '{"retrievalConfig":null}'])
def test_a_config_without_a_choice_changes_nothing(sent):
    chosen = version(tools=[SEARCH], generation={"tool_choice": "none"})

    received = compose(GEMINI, chosen, asks(GEMINI, toolConfig=sent))

    assert received.fields["toolConfig"]["functionCallingConfig"] == {"mode": "NONE"}


def test_a_choice_under_two_names_is_refused():
    two = {"functionCallingConfig": ANY, "function_calling_config": {"mode": "NONE"}}

    with pytest.raises(InvalidRequest, match="under two names"):
        compose(GEMINI, content("pinned"), says(GEMINI, toolConfig=two))

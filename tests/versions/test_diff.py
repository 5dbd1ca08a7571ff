"""Differences: complete, empty only for equal contents, and readable."""

from hypothesis import given, settings

from proxy.versions.content import Content
from proxy.versions.diff import compare
from proxy.versions.identity import canonical, digest, load
from tests.versions.contents import contents

MODEL = {"vendor": "openai", "id": "gpt-4o"}


def _content(**parts) -> Content:
    return Content.model_validate({"model": MODEL, **parts})


def _json(before: Content, after: Content) -> dict:
    return compare(before, after).json()


def test_equal_contents_have_the_empty_difference():
    difference = compare(_content(system="a"), _content(system="a"))

    assert difference.is_empty
    assert difference.json() == {
        "system": "",
        "user": "",
        "messages": [],
        "fields": [],
        "tools": [],
        "tools_reordered": False,
    }


@given(contents(), contents())
def test_a_difference_is_empty_only_for_one_digest(before, after):
    assert compare(before, after).is_empty == (canonical(before) == canonical(after))


@settings(max_examples=50)
@given(contents())
def test_what_went_through_the_store_does_not_differ(content):
    stored = canonical(content)

    assert compare(content, load(stored, digest(stored))).is_empty


def test_a_prompt_is_compared_line_by_line():
    before, after = _content(system="one\ntwo\nthree"), _content(system="one\n2\nthree")

    assert _json(before, after)["system"] == "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three"


def test_settings_are_compared_field_by_field():
    before = _content(generation={"temperature": 0.2, "extra": {"openai.chat": {"effort": "low"}}})
    after = _content(
        model={"vendor": "openai", "id": "gpt-5"},
        generation={"temperature": 1, "stop": ["."], "extra": {"openai.chat": {"n": None}}},
        variables={"tone": {"default": "dry"}},
        routing={"attempts": 2},
    )

    assert _json(before, after)["fields"] == [
        {"field": "model.id", "from": "gpt-4o", "to": "gpt-5"},
        {"field": "generation.temperature", "from": 0.2, "to": 1.0},
        {"field": "generation.stop", "from": [], "to": ["."]},
        {"field": 'generation.extra."openai.chat".effort', "from": "low", "to": None},
        {"field": 'generation.extra."openai.chat".n', "from": None, "to": None},
        {
            "field": "variables.tone",
            "from": None,
            "to": {"default": "dry"},
        },
        {"field": "routing.attempts", "from": 1, "to": 2},
    ]


def test_true_and_1_differ_and_1_and_1_0_do_not():
    before = _content(generation={"extra": {"openai.chat": {"a": 1, "b": 1}}})
    after = _content(generation={"extra": {"openai.chat": {"a": 1.0, "b": True}}})

    fields = [item["field"] for item in _json(before, after)["fields"]]

    assert fields == ['generation.extra."openai.chat".b']


def test_tools_are_compared_by_name():
    find = {"name": "find", "parameters": {"type": "object", "maxProperties": 1}}
    before = _content(tools=[find, {"name": "buy"}])
    after = _content(tools=[{"name": "sell"}, {**find, "strict": True}])

    tools = _json(before, after)["tools"]

    assert [(tool["name"], tool["change"]) for tool in tools] == [
        ("find", "changed"),
        ("buy", "removed"),
        ("sell", "added"),
    ]
    assert '+  "strict": true' in tools[0]["diff"]
    assert tools[1]["diff"] == '@@ -1,3 +0,0 @@\n-{\n-  "name": "buy"\n-}'


def test_a_new_order_of_tools_is_a_difference():
    difference = compare(
        _content(tools=[{"name": "a"}, {"name": "b"}]),
        _content(tools=[{"name": "b"}, {"name": "c"}, {"name": "a"}]),
    )

    assert difference.tools_reordered


def test_few_shot_messages_are_matched_before_they_are_compared():
    hello, bye = {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Bye"}
    before = _content(messages=[hello, bye])
    after = _content(
        messages=[{"role": "user", "content": "First"}, hello, {**bye, "content": "!"}]
    )

    assert _json(before, after)["messages"] == [
        {"number": 1, "change": "added", "diff": "@@ -0,0 +1,2 @@\n+user:\n+First"},
        {
            "number": 3,
            "change": "changed",
            "diff": "@@ -1,2 +1,2 @@\n assistant:\n-Bye\n+!",
        },
    ]

"""Cache breakpoints: a version's go out as far as there is room, and never one too many."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.anthropic_cache import MOST_MARKS, count_marks
from proxy.errors import WrongDialect
from tests.dialects.composing import MESSAGES, compose, version

MARK = {"type": "ephemeral"}
WHOLE, SYSTEM, TOOLS = "cache_control", "system.cache_control", "tools.cache_control"
PARTS = {"system": "Ours.", "tools": [{"name": "a"}, {"name": "b"}]}


def marking(*names, **parts):
    extra = {MESSAGES.name: {name: {**MARK, "ttl": "1h"} for name in names}}
    return version(**{**PARTS, "generation": {"extra": extra}, **parts})


def asks(marks=0, **fields):
    """Return the body of an app with so many breakpoints in its messages."""
    blocks = [{"type": "text", "text": "hi", "cache_control": MARK}] * marks
    said = {"role": "user", "content": [*blocks, {"type": "text", "text": "hi"}]}
    return {"model": "recommender", "max_tokens": 7, "messages": [said], **fields}


def marks_of(fields):
    """Return which of the version's breakpoints are there."""
    system = fields.get("system")
    blocks = system if isinstance(system, list) else []
    places = {
        WHOLE: "cache_control" in fields,
        SYSTEM: any("cache_control" in block for block in blocks[:1]),
        TOOLS: "cache_control" in fields["tools"][1],
    }
    return [name for name, there in places.items() if there]


def total(body):
    return json.dumps(body).count('"cache_control": {')


def test_a_version_that_asks_for_none_has_none():
    received = compose(MESSAGES, marking(), asks())

    assert marks_of(received.fields) == []
    assert received.fields["system"] == "Ours."


def test_breakpoints_of_a_version_stand_where_they_say():
    fields = compose(MESSAGES, marking(WHOLE, SYSTEM, TOOLS), asks()).fields

    mark = {"type": "ephemeral", "ttl": "1h"}
    assert fields["cache_control"] == mark
    assert fields["system"] == [{"type": "text", "text": "Ours.", "cache_control": mark}]
    assert [tool.get("cache_control") for tool in fields["tools"]] == [None, mark]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (0, [WHOLE, SYSTEM, TOOLS]),
        (1, [WHOLE, SYSTEM, TOOLS]),
        (2, [WHOLE, SYSTEM]),
        (3, [WHOLE]),
        (4, []),
    ],
)
def test_breakpoints_of_the_app_come_first(theirs, ours):
    received = compose(MESSAGES, marking(WHOLE, SYSTEM, TOOLS), asks(theirs))

    assert marks_of(received.fields) == ours
    assert total(received.fields) == min(theirs + 3, MOST_MARKS)


def test_an_apps_breakpoint_of_the_whole_request_counts():
    received = compose(MESSAGES, marking(SYSTEM), asks(3, cache_control=MARK))

    assert marks_of(received.fields) == [WHOLE]
    assert received.fields["cache_control"] == MARK


def test_what_is_dropped_of_the_app_takes_no_room():
    theirs = {"type": "text", "text": "Theirs.", "cache_control": MARK}
    tool = {"name": "mine", "input_schema": {"type": "object"}, "cache_control": MARK}

    received = compose(MESSAGES, marking(SYSTEM), asks(3, system=[theirs], tools=[tool]))

    assert marks_of(received.fields) == [SYSTEM]


def test_what_is_kept_of_the_app_takes_room():
    theirs = {"type": "text", "text": "Theirs.", "cache_control": MARK}
    tool = {"name": "mine", "input_schema": {"type": "object"}, "cache_control": MARK}
    content = marking(SYSTEM, policy={"system": "append", "tools": "extend"})

    received = compose(MESSAGES, content, asks(2, system=[theirs], tools=[tool]))

    assert marks_of(received.fields) == []
    assert total(received.fields) == MOST_MARKS


def test_a_thread_that_continues_has_no_place_for_them():
    thread = {"type": "continue", "previous_message_id": "msg_1"}

    fields = compose(MESSAGES, marking(WHOLE, SYSTEM, TOOLS), asks(thread=thread)).fields

    assert "cache_control" in fields
    assert fields.keys().isdisjoint({"system", "tools"})


def test_a_token_count_is_marked_as_the_call_is():
    (count,) = MESSAGES.others

    assert marks_of(compose(count, marking(WHOLE, SYSTEM, TOOLS), asks()).fields) == [
        *(WHOLE, SYSTEM, TOOLS)
    ]


@given(
    ours=st.sets(st.sampled_from([WHOLE, SYSTEM, TOOLS])),
    inside=st.integers(0, 4),
    system=st.booleans(),
    whole=st.booleans(),
    rule=st.sampled_from(["append", "replace"]),
)
def test_there_are_never_more_than_the_vendor_takes(ours, inside, system, whole, rule):
    block = {"type": "text", "text": "Theirs.", "cache_control": MARK}
    more = {"system": [block]} if system else {}
    if whole and inside + system < MOST_MARKS:
        more["cache_control"] = MARK
    if inside + system > MOST_MARKS:
        return

    received = compose(MESSAGES, marking(*ours, policy={"system": rule}), asks(inside, **more))

    assert total(received.fields) <= MOST_MARKS


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"cache_control":{}}', 1),
        ('{"cache_control" : {}, "x":{"cache_control":null}}', 2),
        ('{"cache\\u005fcontrol":{}}', 1),
        ('{"cache\\u005Fcontr\\u006fl":{}}', 1),
        ('{"text":"\\"cache_control\\":{}"}', 0),
        ('{"xcache_control":1,"cache_controls":2}', 0),
    ],
)
def test_breakpoints_are_counted_however_they_are_spelled(text, count):
    assert count_marks(text.encode()) == count


@pytest.mark.parametrize("name", [SYSTEM, TOOLS])
@pytest.mark.parametrize("value", ["ephemeral", True, [MARK]])
def test_a_breakpoint_that_is_no_table_is_not_served(name, value):
    content = version(generation={"extra": {MESSAGES.name: {name: value}}})

    with pytest.raises(WrongDialect):
        MESSAGES.compile(content)

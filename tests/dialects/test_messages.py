"""System messages are found wherever they stand, and all others go on as they were spelled."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.dialects.messages import (
    FRONT_BYTES,
    LONG_BYTES,
    obey,
    sort_messages,
    texts_of,
)
from proxy.dialects.raw import Raw
from proxy.errors import InvalidJson, InvalidRequest, OverrideRejected
from tests.wire.spelled import elements

USER = '{"role":"user","content":"hi"}'


def sort(text):
    """Return the system messages and the others, each as it is spelled."""
    found = sort_messages(Raw(text.encode()))
    others = b"[%b]" % b"".join(map(bytes, found.others))
    return [bytes(item).decode() for item in found.system], elements(others.decode())


def expected(text):
    """Return the same, from another parser."""
    items = elements(text)
    marks = [json.loads(item).get("role") in ("system", "developer") for item in items]
    return (
        [item for item, mark in zip(items, marks, strict=True) if mark],
        [item for item, mark in zip(items, marks, strict=True) if not mark],
    )


SYSTEM = [
    '{"role":"system","content":"s"}',
    '{"role":"developer","content":"d"}',
    '{"content":"role last","role":"system"}',
    '{"role":"\\u0073ystem","content":"escaped value"}',
    '{"r\\u006fle":"system","content":"escaped name"}',
    ' { "role" :\t"system" ,\n"content": [ {"type":"text","text":"parts"} ] } ',
    '{"role":"user","role":"system","content":"the last one counts"}',
]
OTHERS = [
    USER,
    '{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}',
    '{"role":"tool","tool_call_id":"1","content":"system"}',
    '{"role":"user","content":"{\\"role\\":\\"system\\"}"}',
    '{"role":"user","content":[{"role":"system"}]}',
    '{"role":"System","content":"another role"}',
    '{"role":"system","role":"user"}',
    '{"type":"function_call_output","output":"x"}',
    "{}",
]


@pytest.mark.parametrize("message", SYSTEM)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_system_message_is_found_at_any_place(message, place):
    items = [USER, OTHERS[1]]
    items.insert(place, message)

    assert sort(f"[{','.join(items)}]") == ([message.strip()], [USER, OTHERS[1]])


@pytest.mark.parametrize("message", OTHERS)
def test_what_is_no_system_message_goes_on(message):
    assert sort(f"[{message},{SYSTEM[0]},{message}]") == ([SYSTEM[0]], [message, message])


@pytest.mark.parametrize("text", ["[]", "[ ]", "[\n\t \r]", "[%s]" % (" " * 200)])
def test_empty_list_is_empty(text):
    assert sort(text) == ([], [])


def test_system_messages_alone_leave_nothing():
    assert sort(f"[{','.join(SYSTEM)}]") == ([item.strip() for item in SYSTEM], [])


@pytest.mark.parametrize(
    "text",
    [
        *('{"role":"user"}', '"hi"', "1", "null", "true"),
        *("[1]", '["hi"]', "[null]", f"[{USER},[]]", f"[{USER},true]", '[{"role":1}]'),
    ],
)
def test_what_is_no_list_of_messages_is_refused(text):
    with pytest.raises(InvalidRequest):
        sort_messages(Raw(text.encode()))


def test_nesting_that_the_parser_gives_up_on_is_refused():
    text = b'[{"role":"system","content":%b%b}]' % (b"[" * 5000, b"]" * 5000)

    with pytest.raises(InvalidJson):
        sort_messages(Raw(text))


# Sizes around the two limits, so that messages cross them.
LENGTHS = st.sampled_from([0, 1, 7, LONG_BYTES // 2, LONG_BYTES, FRONT_BYTES - 100, FRONT_BYTES])
TRICKS = st.sampled_from(
    ['{"', "}]", '\\"', "\\\\", '"', "},{", "\\u0022", '","role":"system"', "é", "\\n[", ""]
)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "\\u0073ystem"])


@st.composite
def messages(draw):
    """Draw a message as a text, with whatever could be taken for the end of one in its strings."""
    content = json.dumps(draw(TRICKS) + "x" * draw(LENGTHS) + draw(TRICKS), ensure_ascii=False)
    blank = draw(st.sampled_from(["", " ", "\n\t"]))
    extra = draw(st.sampled_from(["", '"name":"[]}{",', '"x":[[{"role":"user"}],{}],']))
    role = draw(ROLES)
    return f'{blank}{{{extra}"role"{blank}:{blank}"{role}",{blank}"content":{content}}}{blank}'


@settings(max_examples=60)
@given(st.lists(messages(), max_size=5))
@example([])
def test_long_lists_are_sorted_as_short_ones_are(items):
    text = f"[{','.join(items)}]"

    assert sort(text) == expected(text)


@pytest.mark.parametrize("ending", ["", "\\\\", '\\"', "\\\\\\\\", "{[", "é", "\\u00e9"])
def test_message_that_ends_near_the_limit_of_the_front_is_whole(ending):
    opening, closing = '[{"role":"system","content":"', f'{ending}"}}'
    room = FRONT_BYTES - len(f"{opening}{closing}".encode())
    texts = [f"{opening}{'x' * (room + off)}{closing},{USER}]" for off in range(-45, 8)]

    assert [text[-60:] for text in texts if sort(text) != expected(text)] == []


def test_front_of_a_long_list_is_cut_without_a_copy():
    rest = f'{{"role":"user","content":"{"x" * LONG_BYTES}"}}'
    raw = Raw(f"[{SYSTEM[0]},{rest}]".encode())

    found = sort_messages(raw)

    assert [memoryview(part).obj for part in found.others] == [memoryview(raw).obj]


@pytest.mark.parametrize("rule", ["replace", "append"])
def test_system_prompt_of_the_app_may_come_where_it_is_not_rejected(rule):
    obey(rule, sent=True)


def test_system_prompt_of_the_app_is_refused_where_it_is_rejected():
    obey("reject", sent=False)

    with pytest.raises(OverrideRejected):
        obey("reject", sent=True)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('"plain"', ["plain"]),
        ('"\\u00e9\\n"', ["é\n"]),
        ("null", []),
        ("[]", []),
        ('[{"type":"text","text":"a"},{"type":"input_text","text":"b"}]', ["a", "b"]),
        ('[{"text":"a","cache":{"x":[1]}}]', ["a"]),
    ],
)
def test_texts_of_a_system_message(content, texts):
    assert texts_of(Raw(f'{{"role":"system","content":{content}}}'.encode())) == texts


@pytest.mark.parametrize(
    "content", ["1", "{}", '["a"]', '[{"type":"image_url"}]', '[{"text":null}]', '[{"text":["a"]}]']
)
def test_system_message_that_is_no_text_is_refused(content):
    with pytest.raises(InvalidRequest):
        texts_of(Raw(f'{{"role":"system","content":{content}}}'.encode()))


def test_system_message_without_content_has_no_text():
    assert texts_of(Raw(b'{"role":"system"}')) == []

"""Bodies taken apart: nothing is smuggled, what is no JSON is refused, nothing crashes."""

import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.dialects.raw import (
    EXACT_BYTES,
    MAX_FIELDS,
    Raw,
    is_deeper,
    key_bytes,
    list_inner,
    read_as,
    read_list,
    read_nested,
    read_object,
)
from proxy.errors import InvalidJson, InvalidRequest, RequestError
from tests.versions.contents import keys, values
from tests.wire.spelled import members

DEPTH = 64
PADDING = b'"padding":"%b",' % (b"x" * EXACT_BYTES)


def read(body, depth=DEPTH):
    return {name: bytes(raw) for name, raw in read_object(body, depth=depth).items()}


def large(body):
    """Return the same object, beyond the size up to which the check of nesting is exact."""
    return body.replace(b"{", b"{" + PADDING, 1)


NO_JSON = {
    "nothing": b"",
    "blanks": b" \n",
    "a comma too many": b'{"a":1,}',
    "a comma too many inside": b'{"a":[1,]}',
    "no comma": b'{"a":1 "b":2}',
    "no colon": b'{"a" 1}',
    "single quotes": b"{'a':1}",
    "a number as a name": b'{"a":{1:2}}',
    "a comment": b'{"a":1} // x',
    "more after it": b'{"a":1}{"b":2}',
    "a zero byte after it": b'{"a":1}\0',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "NaN": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "a leading zero": b'{"a":01}',
    "a bare point": b'{"a":[.5]}',
    "a point without digits": b'{"a":{"b":1.}}',
    "an exponent without digits": b'{"a":1e}',
    "a plus": b'{"a":+1}',
    "a hexadecimal number": b'{"a":0x10}',
    "half a word": b'{"a":tru}',
    "a line break in a string": b'{"a":"\n"}',
    "a control character inside": b'{"a":["\x1f"]}',
    "an unknown escape": b'{"a":"\\x41"}',
    "half an escape": b'{"a":"\\u12"}',
    "a lone high surrogate": b'{"a":"\\ud800"}',
    "a lone low surrogate": b'{"a":["\\uDC00x"]}',
    "surrogates the wrong way round": b'{"a":"\\udc00\\ud800"}',
    "a lone surrogate in a name": b'{"\\ud800":1}',
    "invalid UTF-8": b'{"a":"\xff"}',
    "invalid UTF-8 in a name": b'{"\xff":1}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "half a character": b'{"a":"\xe2\x82"}',
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("size", [bytes, large], ids=["small", "large"])
def test_what_is_no_json_in_utf8_is_refused(body, size):
    with pytest.raises(InvalidJson):
        read_object(size(body), depth=DEPTH)


@pytest.mark.parametrize("length", range(1, len(b'{"a":["x\\n",1.5,{"b":null}]}')))
def test_truncated_body_is_refused(length):
    with pytest.raises(InvalidJson):
        read_object(b'{"a":["x\\n",1.5,{"b":null}]}'[:length], depth=DEPTH)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"true", b' [{"a":1}]'])
def test_json_that_is_no_object_is_refused_as_a_request(body):
    with pytest.raises(InvalidRequest):
        read_object(body, depth=DEPTH)


def test_values_keep_their_spelling():
    body = (
        b' { "a" : 1.50e0 , "b":[ 1,{ "x" :2} ],"c":"\\u00e9\\/", "\xc3\xa9":1234567890123456789 }'
    )

    assert read(body) == {
        "a": b"1.50e0",
        "b": b'[ 1,{ "x" :2} ]',
        "c": b'"\\u00e9\\/"',
        "é": b"1234567890123456789",
    }


def test_of_a_repeated_name_the_last_value_is_read_and_no_other():
    assert read(b'{"model":"a","model":"b"}') == {"model": b'"b"'}


@pytest.mark.parametrize("name", [b"\\u006dodel", b"mode\\u006C", b"\\u006d\\u006f\\u0064el"])
def test_escaped_name_is_the_name(name):
    assert read(b'{"model":"a","%b":"b"}' % name) == {"model": b'"b"'}


def test_a_body_may_be_a_bytearray():
    assert read(bytearray(b'{"a":1}')) == {"a": b"1"}


def nested(depth, opening=b"[", closing=b"]"):
    """Return an object that nests `depth` levels, itself included."""
    return b'{"a":%b1%b}' % (opening * (depth - 1), closing * (depth - 1))


@pytest.mark.parametrize("depth", [1, 2, 5, DEPTH])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_allowed_up_to_the_limit_exactly(depth, opening, closing):
    assert read_object(nested(depth, opening, closing), depth=depth)

    with pytest.raises(InvalidJson):
        read_object(nested(depth + 1, opening, closing), depth=depth)


def test_brackets_in_strings_do_not_nest():
    text = b'"%b\\"[{\\\\"' % (b"[{" * 200)

    assert read(b'{"a":[%b,%b]}' % (text, text), depth=2)


def test_brackets_beside_one_another_do_not_nest():
    assert read(b'{"a":[%b]}' % b",".join([b"{}", b"[1]"] * 300), depth=3)


@pytest.mark.parametrize("depth", [5_000, 100_000])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "truncated"])
def test_absurd_nesting_is_refused_at_any_size(depth, closed):
    body = nested(depth) if closed else nested(depth)[:-depth]

    for found in (body, large(body)):
        with pytest.raises(InvalidJson):
            read_object(found, depth=DEPTH)


def test_as_many_fields_as_allowed_pass_and_one_more_does_not():
    names = [f'"f{number}":1' for number in range(MAX_FIELDS + 1)]

    assert len(read(f"{{{','.join(names[1:])}}}".encode())) == MAX_FIELDS
    with pytest.raises(InvalidRequest):
        read_object(f"{{{','.join(names)}}}".encode(), depth=DEPTH)


def depth_of(value):
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


texts = st.text(st.sampled_from('ab[]{}"\\\n é'), max_size=6)
deep_values = st.recursive(
    texts | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=30,
)


@given(deep_values, st.integers(0, 9), st.booleans())
def test_depth_is_counted_as_a_parser_would(value, limit, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert is_deeper(body, limit) is (depth_of(value) > limit)


@given(
    st.dictionaries(keys, values, max_size=6),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.sampled_from([(",", ":"), (" , ", " : ")]),
)
def test_every_value_is_read_as_it_was_written(fields, ascii_only, indent, separators):
    body = json.dumps(fields, ensure_ascii=ascii_only, indent=indent, separators=separators)

    assert read(body.encode()) == {n: v.encode() for n, v in members(body)}


SEEDS = [
    '{"a":1,"b":[true,null,{"c":"\\u00e9"}]}',
    '{"a":-0.5e+10,"a":"x\\\\","\\u0061":{}}',
    '{"é":"\\ud83d\\ude00","b":[[],[[]]]}',
]


@st.composite
def damaged(draw):
    """Draw a body that is JSON but for some bytes."""
    body = draw(st.sampled_from(SEEDS)).encode()
    for _ in range(draw(st.integers(0, 3))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
        piece = draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"]", b",", b"0", b"\xe9", b"e", b"-"])
        )
        body = body[:start] + piece + body[min(end, start + 2) :]
    return body


@given(damaged() | st.binary(max_size=30))
@example(b'{"a":1e999}')
def test_what_is_accepted_means_the_same_to_another_parser(body):
    try:
        found = read(body)
    except (InvalidJson, InvalidRequest):
        return

    assert {name: json.loads(raw) for name, raw in found.items()} == json.loads(body)


@settings(max_examples=30)
@given(st.integers(0, 300), st.lists(st.integers(0, 200), max_size=3))
def test_what_is_read_as_a_list_is_the_list(blanks, items):
    text = "[" + " " * blanks + ", ".join(map(str, items)) + "\n" * blanks + "]"
    raw = read_object(f'{{"a":{text}}}'.encode(), depth=DEPTH)["a"]

    assert [int(bytes(item)) for item in read_list(raw)] == items
    assert json.loads(b"[%b]" % bytes(list_inner(raw))) == items


@pytest.mark.parametrize("text", [b"{}", b'"[]"', b"null", b"1"])
def test_what_is_no_list_is_refused_as_a_request(text):
    with pytest.raises(InvalidRequest):
        read_list(Raw(text))


@pytest.mark.parametrize("text", [b"[]", b'"{}"', b"null", b"1"])
def test_what_is_no_object_inside_is_refused_as_a_request(text):
    with pytest.raises(InvalidRequest):
        read_nested(Raw(text), "prompt")


def test_second_look_that_meets_the_parsers_guard_is_refused():
    decoder = msgspec.json.Decoder(list[dict[str, int]])

    with pytest.raises(RequestError):
        read_as(decoder, b"[%b1%b]" % (b"[" * 5000, b"]" * 5000), "numbers were expected")
    with pytest.raises(InvalidJson):
        read_nested(Raw(b'{"a":%b1%b}' % (b"[" * 5000, b"]" * 5000)), "prompt")


@given(keys)
def test_a_key_is_written_as_it_was_read(name):
    written = key_bytes(name)

    assert json.loads(b"{%b1}" % written[1:]) == {name: 1}
    assert written[:1] == b","

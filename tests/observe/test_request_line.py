"""The line of a request, as its readers get it."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.request_line import Outcome, RequestLine, encode

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
lines = st.builds(
    RequestLine,
    ts=texts,
    request_id=texts,
    model=texts | st.none(),
    served_model=texts | st.none(),
    finish_reason=texts | st.none(),
    outcome=st.sampled_from(Outcome),
    status=st.integers(0, 599),
    input_tokens=st.integers(0, 2**60) | st.none(),
    duration_ms=st.floats(0, 1e7),
    dropped=st.lists(texts, max_size=3).map(tuple),
)


@given(line=lines)
def test_a_line_is_one_line_of_json_whatever_it_holds(line):
    encoded = encode(line)

    assert encoded.count(b"\n") == 1
    assert encoded.endswith(b"}\n")
    read = json.loads(encoded)
    assert read.pop("event") == "request.finished"
    assert read == json.loads(json.dumps(msgspec.to_builtins(line)))


def test_every_field_is_there_whether_known_or_not():
    read = json.loads(encode(RequestLine("2026-11-23T14:18:00.000Z", "req_1")))

    assert list(read) == ["event", *RequestLine.__struct_fields__]


def test_control_characters_cannot_forge_a_line():
    encoded = encode(RequestLine("", 'x\n{"event":"pin.changed"}\x1b[31m'))

    assert encoded.count(b"\n") == 1
    assert b"\x1b" not in encoded

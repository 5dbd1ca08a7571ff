"""What the fleet is asked, as text that anybody may have written."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.store.base import MAX_QUESTION_BYTES, MOST_QUESTIONS
from proxy.store.question_text import MAX_TEXT_BYTES, decode, encode_body
from proxy.versions.record import Question

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def entry(**fields):
    return {"id": "q-1", "kind": "prepare", "body": "{}", "at_ms": "1", **fields}


def text(*entries):
    return json.dumps(entries).encode()


@settings(max_examples=50)
@given(body=st.dictionaries(st.text(), json_values), kind=st.text())
def test_a_question_reads_back(body, kind):
    question = Question("q-1", kind, body)

    read = decode(text(entry(kind=kind, body=encode_body(question))))

    assert read == (question,)


def test_without_a_text_nothing_is_asked():
    assert decode(None) == ()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"null",
        b"7",
        b"{}",
        b"[7]",
        b"[null]",
        b"[[]]",
        b"[{}]",
        b'[{"id":7,"kind":"prepare","body":"{}"}]',
        b'[{"id":"q","kind":"prepare","body":{}}]',
        b'[{"id":"q","kind":"prepare","body":"{}"}',
        b'[{"id":"q","kind":"\xff","body":"{}"}]',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda garbage: ascii(garbage[:40]),
)
def test_text_that_cannot_be_read_asks_nothing(garbage):
    assert decode(garbage) == ()


@given(st.binary() | st.text().map(str.encode) | json_values.map(json.dumps).map(str.encode))
def test_no_text_does_any_harm(garbage):
    assert isinstance(decode(garbage), tuple)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": "a|b"},
        {"id": "ü"},
        {"id": "x" * 129},
        {"body": ""},
        {"body": "[]"},
        {"body": "7"},
        {"body": "{"},
        {"body": '{"a":' * 100_000},
        {"body": json.dumps({"a": "x" * MAX_QUESTION_BYTES})},
    ],
    ids=lambda fields: ascii(fields)[:40],
)
def test_a_question_that_nobody_could_have_put_is_passed_over(fields):
    read = decode(text(entry(**fields), entry(id="q-2")))

    assert read == (Question("q-2", "prepare", {}),)


def test_of_too_many_questions_the_newest_are_read():
    read = decode(text(*(entry(id=f"q-{n}") for n in range(MOST_QUESTIONS + 1))))

    assert [question.id for question in read] == [f"q-{n}" for n in range(1, MOST_QUESTIONS + 1)]


def test_what_a_newer_release_adds_is_passed_over():
    assert decode(text(entry(novelty=[1]))) == (Question("q-1", "prepare", {}),)


def test_a_text_that_is_too_large_is_not_read():
    one = entry(body=json.dumps({"a": "x" * (MAX_QUESTION_BYTES - 100)}))
    fits = MAX_TEXT_BYTES // len(json.dumps(one))

    assert len(decode(text(*[one] * fits))) == fits
    assert decode(text(*[one] * (fits + 1))) == ()

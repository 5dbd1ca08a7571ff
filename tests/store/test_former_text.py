"""What Redis keeps of former holders, whoever wrote it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from proxy.store.base import MOST_FORMER
from proxy.store.former_text import MAX_TEXT_BYTES, decode
from proxy.versions.record import Former

GOOD = {"id": "recommender-v1-abcdef", "label": "prod", "at_ms": "1764000000000"}


def text(*entries):
    return json.dumps(entries).encode()


def test_it_is_read_as_it_was_written():
    assert decode(text(GOOD)) == (Former("recommender-v1-abcdef", "prod", 1764000000000),)


def test_nothing_is_nothing():
    assert decode(None) == ()


def test_of_too_many_the_newest_are_read():
    numbered = [{**GOOD, "at_ms": str(number)} for number in range(MOST_FORMER + 2)]

    assert [one.at_ms for one in decode(text(*numbered))] == list(range(2, MOST_FORMER + 2))


def test_a_text_that_is_too_large_is_not_looked_at():
    assert decode(b" " * MAX_TEXT_BYTES + text(GOOD)) == ()


def test_what_no_swap_would_write_is_left_out():
    wrong = [{"id": "recommender"}, {"label": "v1"}, {"at_ms": "-1"}, {"at_ms": "\u0661"}]

    assert decode(text(GOOD, *({**GOOD, **one} for one in wrong))) == decode(text(GOOD))


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists, max_leaves=8).map(text)
)
def test_whatever_is_there_is_read_without_an_error(data):
    assert all(isinstance(one, Former) for one in decode(data))


def test_what_is_known_is_not_made_again():
    (known,) = decode(text(GOOD))
    later = {**GOOD, "at_ms": "1764000000001"}

    first, second = decode(text(GOOD, later), [known])

    assert first is known
    assert second == Former("recommender-v1-abcdef", "prod", 1764000000001)

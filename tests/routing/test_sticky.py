"""Who keeps a target: by what, how evenly, and what moves when targets change."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.raw import read_object
from proxy.routing.sticky import MOST_BYTES, key_of, scores

USERS = ("safety_identifier", "user")
NAMES = [f"vendor-{number}/gpt-4o" for number in range(6)]
keys = st.binary(min_size=1, max_size=40)
weightings = st.lists(st.integers(1, 1000), min_size=1, max_size=6)


def found(sticky, body, **headers):
    fields = read_object(json.dumps(body).encode(), depth=64)
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return key_of(sticky, USERS, fields, named)


@pytest.mark.parametrize(
    ("sticky", "body", "key"),
    [
        (["user"], {"user": "ada"}, b"ada"),
        (["user"], {"user": "ada", "safety_identifier": "b7"}, b"b7"),
        (["user"], {"user": 7}, b"7"),
        (["user"], {"user": "größe"}, "größe".encode()),
        (["user"], {"user": 'a"b\\c'}, b'a"b\\c'),
        (["user"], {"user": ""}, b""),
        (["user"], {"user": None, "safety_identifier": None}, b""),
        (["user"], {"user": ["ada"]}, b""),
        (["user"], {}, b""),
        (["field:metadata.session"], {"metadata": {"session": "s-1"}}, b"s-1"),
        (["field:metadata.session"], {"metadata": {}}, b""),
        (["field:metadata.session"], {"metadata": "s-1"}, b""),
        (["field:conversation", "field:conversation.id"], {"conversation": {"id": "c"}}, b"c"),
        (["field:conversation", "field:conversation.id"], {"conversation": "c"}, b"c"),
        (["header:x-session", "user"], {"user": "ada"}, b"ada"),
    ],
)
def test_the_first_value_that_there_is_counts(sticky, body, key):
    assert found(sticky, body) == key


def test_a_header_is_a_value_too():
    assert found(["header:x-session", "user"], {"user": "ada"}, x_session=b"s-1") == b"s-1"
    assert found(["header:x-session", "user"], {"user": "ada"}, x_session=b"") == b"ada"


def test_a_value_that_is_spelled_otherwise_is_the_same():
    fields = read_object(b'{"user":"\\u0061da"}', depth=64)

    assert key_of(["user"], USERS, fields, {}) == b"ada"


def test_of_a_long_value_the_beginning_counts():
    assert len(found(["user"], {"user": "a" * 10_000})) == MOST_BYTES


def favourite(key, weights, names=NAMES):
    suited = scores(key, names[: len(weights)], weights)
    return max(range(len(weights)), key=suited.__getitem__)


@given(keys, weightings)
def test_the_same_key_has_the_same_target(key, weights):
    assert scores(key, NAMES[: len(weights)], weights) == scores(
        key, NAMES[: len(weights)], weights
    )


def test_each_target_gets_its_share_of_the_keys():
    """4000 draws of a share of 0.6: a standard deviation is 31."""
    drawn = Counter(favourite(b"%d" % number, [6, 3, 1]) for number in range(4000))

    assert [drawn[target] for target in range(3)] == [
        pytest.approx(share * 400, abs=160) for share in (6, 3, 1)
    ]


@given(keys, weightings, st.integers(1, 1000))
def test_a_target_that_comes_takes_keys_and_moves_none_between_the_others(key, weights, weight):
    weights = weights[:5]

    before, after = favourite(key, weights), favourite(key, [*weights, weight])

    assert after in (before, len(weights))


@given(keys, weightings, st.data())
def test_a_greater_weight_takes_keys_and_moves_none_between_the_others(key, weights, data):
    place = data.draw(st.integers(0, len(weights) - 1))
    more = [weight + (place == number) for number, weight in enumerate(weights)]

    before, after = favourite(key, weights), favourite(key, more)

    assert after in (before, place)


@given(keys, weightings)
def test_where_targets_stand_means_nothing(key, weights):
    names, count = NAMES[: len(weights)], len(weights)

    turned = favourite(key, weights[::-1], names[::-1])

    assert names[::-1][turned] == names[favourite(key, weights, names)]
    assert 0 <= turned < count

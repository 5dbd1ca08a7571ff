"""Which fields would go out otherwise than an app sent them."""

import json

import pytest

from proxy.dialects.base import Composed
from proxy.dialects.differences import differences
from proxy.dialects.raw import read_object


def found(sent, made, *, dropped=()):
    fields = read_object(sent.encode(), depth=64)
    opening, rest = made.encode().split(b'"M"')
    return differences(fields, Composed(opening, (rest,), dropped), b'"gpt-4o"')


SENT = '{"model":"gpt-4o","temperature":1,"messages":[{"role":"user","content":"hi"}]}'


@pytest.mark.parametrize(
    ("made", "names"),
    [
        ('{"model":"M","temperature":1,"messages":[{"role":"user","content":"hi"}]}', ()),
        ('{"messages":[{"content":"h\\u0069", "role":"user"}],"temperature":1.0,"model":"M"}', ()),
        ('{"model":"M","temperature":1,"messages":[]}', ("messages",)),
        ('{"model":"M","messages":[{"role":"user","content":"hi"}]}', ("temperature",)),
        (
            '{"model":"M","temperature":2,"seed":1,"messages":[{"role":"user","content":"hi"}]}',
            ("seed", "temperature"),
        ),
    ],
)
def test_what_is_added_taken_away_or_changed_is_named(made, names):
    assert found(SENT, made) == names


def test_the_vendors_model_counts():
    assert found(SENT.replace("gpt-4o", "gpt-3"), SENT.replace("gpt-4o", "M")) == ("model",)


def test_what_the_policy_drops_is_named_beside_what_it_is_in():
    made = SENT.replace("gpt-4o", "M").replace("hi", "ho")

    assert found(SENT, made, dropped=("messages.system",)) == ("messages", "messages.system")


def test_what_the_policy_drops_for_the_same_value_is_no_change():
    made = SENT.replace("gpt-4o", "M")

    assert found(SENT, made, dropped=("messages.system", "temperature")) == ()


def test_a_name_is_not_longer_than_the_log_has_room_for():
    (name,) = found(json.dumps({"model": "gpt-4o", "x" * 300: 1}), '{"model":"M"}')

    assert len(name) == 64

"""A version's rules, and whose limit holds for a wait."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.rules import Rules, Waits
from proxy.versions.routing import Routing

OPERATORS = Waits(5.0, 300.0, 120.0, 60.0)

limits = st.floats(0.001, 86400)


def test_a_version_that_says_nothing_leaves_all_waits_to_the_operator():
    assert Rules.of(Routing()).waits == ()
    assert Rules.of(Routing(fallback=({"vendor": "spare", "id": "m"},))).waits == ()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"connect_timeout_s": 1}, Waits(1, 300, 120, 60)),
        ({"first_byte_timeout_s": 20}, Waits(5, 20, 120, 60)),
        ({"idle_timeout_s": 10}, Waits(5, 300, 10, 60)),
        ({"connect_timeout_s": 30, "first_byte_timeout_s": 400}, OPERATORS),
    ],
)
def test_the_shorter_limit_holds(fields, expected):
    (own,) = Rules.of(Routing(**fields)).waits

    assert OPERATORS.within(own) == expected


def test_a_target_has_the_waits_of_the_version_but_for_its_own():
    spare = {"vendor": "spare", "id": "gpt-4o"}
    routing = Routing(
        first_byte_timeout_s=20,
        idle_timeout_s=10,
        targets=({**spare, "first_byte_timeout_s": 5},),
        fallback=(spare, {**spare, "first_byte_timeout_s": 90, "connect_timeout_s": 1}),
    )

    waits = [OPERATORS.within(own) for own in Rules.of(routing).waits]

    assert waits == [
        Waits(5, 20, 10, 60),
        Waits(5, 5, 10, 60),
        Waits(5, 20, 10, 60),
        Waits(1, 90, 10, 60),
    ]


@given(st.builds(Waits, limits, limits, limits, limits), st.lists(st.none() | limits, min_size=3))
def test_no_version_exceeds_an_operator_s_limit(operators, own):
    names = ("connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s")
    fields = dict(zip(names, own, strict=False))

    held = operators.within(next(iter(Rules.of(Routing(**fields)).waits), Waits()))

    assert held.write_s == operators.write_s
    for name, most, got in zip(
        names,
        (operators.connect_s, operators.first_byte_s, operators.idle_s),
        (held.connect_s, held.first_byte_s, held.idle_s),
        strict=True,
    ):
        assert got == min(most, fields[name] or math.inf)

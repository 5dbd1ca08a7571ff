"""The checker on histories that nobody thought of: valid ones, and such with one thing wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.history import served
from tests.history.check import violations
from tests.history.drawn import Fleet, scripts
from tests.history.known import Known
from tests.history.made import id_of, sha
from tests.history.record import Asked, History, Kept, Logged, Noted

BOTH_ASKED_TWICE = [
    ("store back", "", 0),
    ("start", "web-1", 0),
    ("start", "web-2", 0),
    ("pin", "", 2),
    ("pin", "", 3),
    *(("ask", proxy, 0) for proxy in ("web-1", "web-2") for _ in range(2)),
]


@given(scripts)
def test_a_fleet_that_keeps_its_promises_is_not_blamed(script):
    made = Fleet().play(script)

    assert violations(made.history) == []


def test_the_excuse_is_needed_and_drawn():
    acts = [("pin", "", 2), ("kill at once", "web-1", 0), ("store away", "", 0)]
    script = [*acts, ("start", "web-1", 0), ("ask", "web-1", 0)]

    history = Fleet().play(script).history

    assert violations(history) == []
    assert served.excused(Known.of(history)) == 1


@given(scripts, st.integers(0, 2**16))
def test_an_answer_older_than_the_one_before_it_is_found(script, seed):
    """The answer that is made older comes from a process which gave a newer one before."""
    facts = Fleet().play([*script, *BOTH_ASKED_TWICE]).facts
    lines = [fact for fact in facts if isinstance(fact, Logged)]
    pairs = [
        (before, after)
        for before in lines
        for after in lines
        if (before.proxy, before.life) == (after.proxy, after.life)
        and lines.index(before) < lines.index(after)
        and before.epoch > 1
    ]

    _, after = random.Random(seed).choice(pairs)
    stale = {"version": id_of("flip", 1), "digest": sha("mark-flip-1")}
    changed = [
        replace(fact, **stale, epoch=1)
        if fact == after
        else replace(fact, **stale)
        if isinstance(fact, Asked) and fact.request == after.request
        else fact
        for fact in facts
    ]

    assert "older" in {one.rule for one in violations(History.of(changed))}


@pytest.mark.parametrize("kind", [Kept, Noted])
@given(scripts, st.integers(0, 2**16))
@settings(max_examples=30)
def test_whatever_is_lost_from_the_store_is_missed(kind, script, seed):
    facts = Fleet().play(script).facts
    lost = random.Random(seed).choice([fact for fact in facts if isinstance(fact, kind)])

    left = History.of(fact for fact in facts if fact is not lost)

    assert violations(left) != []

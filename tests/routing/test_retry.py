"""What follows a failure: the whole table."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.retry import (
    MAX_BACKOFF_S,
    MAX_WAIT_S,
    SAME_TARGET_DELAY_S,
    Failure,
    GiveUp,
    Kind,
    Retry,
    Standing,
    counts,
    decide,
    retry_after_s,
    targets,
)
from proxy.routing.rules import BreakerLimits, Rules
from proxy.versions.routing import Routing, Target, VendorModel

PRIMARY = VendorModel(vendor="openai", id="gpt-4o")
OTHERS = tuple(Target(vendor=f"vendor-{n}", id="gpt-4o") for n in range(1, 4))

NOT_SENT = Failure(Kind.NO_CONNECTION)
NO_ATTEMPT = GiveUp("no attempt is left")
NOT_LET = GiveUp("the rules do not let this be repeated")
TOO_LATE = GiveUp("no target can be asked in time")

NAMES = (
    *("status:400", "status:404", "status:429", "status:500", "status:503", "status:529"),
    *("status:5xx", "first_byte_timeout", "reset"),
)

failures = st.builds(
    Failure,
    st.sampled_from(list(Kind)),
    st.sampled_from([0, 400, 404, 429, 500, 502, 503, 529]),
    st.floats(0, 100),
)
rules = st.builds(
    Rules, st.just(600.0), st.integers(1, 10), st.frozensets(st.sampled_from(NAMES), max_size=5)
)


@st.composite
def standings(draw, *begun):
    order = tuple(draw(st.permutations(range(draw(st.integers(1, 5))))))
    tried = tuple(draw(st.lists(st.sampled_from(order), min_size=1, max_size=10)))
    waits = draw(st.dictionaries(st.sampled_from(order), st.floats(-5, 100), max_size=3))
    left_s, shut = draw(st.floats(-1, 700)), draw(st.frozensets(st.sampled_from(order)))
    return Standing(order, tried, waits, left_s, draw(st.sampled_from(begun)), shut)


def rules_of(attempts, *retry_on):
    return Rules(600.0, attempts, frozenset(retry_on))


def standing(others, *tried, **more):
    return Standing(tuple(range(others + 1)), tried, **more)


@pytest.mark.parametrize(
    ("attempts", "others", "tried", "outcome"),
    [
        (1, 0, [0], NO_ATTEMPT),
        (2, 0, [0], Retry(0, SAME_TARGET_DELAY_S)),
        (3, 0, [0, 0], Retry(0, 2 * SAME_TARGET_DELAY_S)),
        (9, 0, [0] * 8, Retry(0, MAX_BACKOFF_S)),
        (2, 0, [0, 0], NO_ATTEMPT),
        (1, 1, [0], NO_ATTEMPT),
        (2, 1, [0], Retry(1, 0.0)),
        (3, 1, [0, 1], Retry(0, SAME_TARGET_DELAY_S)),
        (4, 1, [0, 1, 0], Retry(1, SAME_TARGET_DELAY_S)),
        (4, 2, [0, 1], Retry(2, 0.0)),
        (4, 2, [0, 1, 2], Retry(0, SAME_TARGET_DELAY_S)),
        (4, 2, [0, 1, 2, 0], NO_ATTEMPT),
    ],
)
def test_attempts_go_round_the_targets_until_none_is_left(attempts, others, tried, outcome):
    assert decide(rules_of(attempts), NOT_SENT, standing(others, *tried)) == outcome


@pytest.mark.parametrize(
    ("waits", "left_s", "outcome"),
    [
        ({0: 3.0}, 600, Retry(1, 0.0)),
        ({0: 3.0, 1: 2.0}, 600, Retry(1, 2.0)),
        ({0: 1.0, 1: 2.0}, 600, Retry(0, 1.0)),
        ({0: 11.0, 1: 12.0}, 600, TOO_LATE),
        ({0: 1.0, 1: 2.0}, 0.5, TOO_LATE),
        ({0: -1.0, 1: -1.0}, 600, Retry(1, 0.0)),
        ({}, 0.0, TOO_LATE),
    ],
)
def test_who_may_be_asked_first_is_asked_next(waits, left_s, outcome):
    stands = standing(1, 0, waits=waits, left_s=left_s)

    assert decide(rules_of(5), NOT_SENT, stands) == outcome


@pytest.mark.parametrize(
    ("failure", "named_by"),
    [
        (Failure(Kind.STATUS, 429), {"status:429"}),
        (Failure(Kind.STATUS, 404), {"status:404"}),
        (Failure(Kind.STATUS, 500), {"status:500", "status:5xx"}),
        (Failure(Kind.STATUS, 502), {"status:5xx"}),
        (Failure(Kind.STATUS, 503), {"status:503", "status:5xx"}),
        (Failure(Kind.STATUS, 529), {"status:529", "status:5xx"}),
        (Failure(Kind.FIRST_BYTE_TIMEOUT), {"first_byte_timeout"}),
        (Failure(Kind.RESET), {"reset"}),
        (Failure(Kind.UNUSABLE), set()),
    ],
)
def test_what_may_have_been_served_is_repeated_only_where_the_rules_name_it(failure, named_by):
    for name in NAMES:
        step = decide(rules_of(2, name), failure, standing(1, 0))

        assert step == (Retry(1, 0.0) if name in named_by else NOT_LET)
    assert decide(rules_of(2), failure, standing(1, 0)) == NOT_LET


@given(rules, failures, standings(True))
def test_nothing_is_repeated_once_the_app_has_a_byte(version_rules, failure, stands):
    assert isinstance(decide(version_rules, failure, stands), GiveUp)


@given(rules, failures, standings(True, False))
def test_a_retry_keeps_every_limit(version_rules, failure, stands):
    step = decide(version_rules, failure, stands)

    if isinstance(step, GiveUp):
        return
    assert counts(version_rules, failure)
    assert step.target in stands.order
    assert len(stands.tried) < version_rules.attempts
    assert 0 <= step.after_s <= MAX_WAIT_S
    assert step.after_s < stands.left_s
    assert step.after_s >= stands.waits.get(step.target, 0)
    assert step.after_s > 0 or step.target not in stands.tried


@given(rules, failures, standings(False))
def test_nobody_waits_while_another_target_could_be_asked(version_rules, failure, stands):
    step = decide(version_rules, failure, stands)

    untried = set(stands.order) - set(stands.tried) - stands.shut
    free = [target for target in untried if stands.waits.get(target, 0) <= 0]
    if isinstance(step, Retry) and free:
        assert step.after_s == 0
        assert step.target in free


@given(rules, failures, standings(False))
def test_who_is_shut_is_asked_only_where_all_are(version_rules, failure, stands):
    step = decide(version_rules, failure, stands)

    if isinstance(step, Retry) and step.target in stands.shut:
        assert stands.shut.issuperset(stands.order)


@pytest.mark.parametrize(
    ("refuse", "outcome"),
    [
        (False, Retry(1, 0.0)),
        (True, GiveUp("the circuits of all targets are open")),
    ],
)
def test_rules_say_what_follows_where_all_are_shut(refuse, outcome):
    limits = BreakerLimits(5, 30.0, 15.0, refuse)
    version_rules = Rules(600.0, 5, breaker=limits)

    step = decide(version_rules, NOT_SENT, standing(1, 0, shut=frozenset({0, 1})))

    assert step == outcome


def test_all_targets_are_asked_before_one_is_asked_again():
    for attempts, others in product(range(1, 11), range(4)):
        tried = [0]
        while isinstance(
            step := decide(rules_of(attempts), NOT_SENT, standing(others, *tried)), Retry
        ):
            tried.append(step.target)

        assert len(tried) == attempts
        assert tried == [n % (others + 1) for n in range(attempts)]


def test_the_version_s_own_target_comes_first():
    assert targets(PRIMARY, Routing(fallback=OTHERS)) == (PRIMARY, *OTHERS)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 0),
        ({b"retry-after": b"3"}, 3),
        ({b"retry-after": b" 3 "}, 3),
        ({b"retry-after-ms": b"250"}, 0.25),
        ({b"retry-after-ms": b"250", b"retry-after": b"3"}, 0.25),
        ({b"retry-after": b"999999999999"}, 999999999999),
        ({b"retry-after": b"9" * 400}, 0),
        ({b"retry-after": b"-1"}, 0),
        ({b"retry-after": b"1.5"}, 0),
        ({b"retry-after": "٣".encode()}, 0),
        ({b"retry-after": b"soon", b"date": b"Thu, 26 Nov 2026 16:00:00 GMT"}, 0),
        ({b"retry-after": b"Thu, 26 Nov 2026 16:00:04 GMT"}, 0),
        (
            {
                b"retry-after": b"Thu, 26 Nov 2026 16:00:04 GMT",
                b"date": b"Thu, 26 Nov 2026 16:00:00 GMT",
            },
            4,
        ),
        (
            {
                b"retry-after": b"Thu, 26 Nov 2026 15:00:00 GMT",
                b"date": b"Thu, 26 Nov 2026 16:00:00 GMT",
            },
            0,
        ),
    ],
)
def test_how_long_a_vendor_asks_to_wait(fields, seconds):
    assert retry_after_s(fields) == seconds


dates = st.builds(
    lambda day, month, year, time, zone: f"Thu, {day} {month} {year} {time}{zone}".encode(),
    st.integers(0, 40),
    st.sampled_from(["Jan", "Feb", "Nov", "Smarch"]),
    st.sampled_from([0, 1, 70, 1970, 2026, 9999, 10000, 10**30]),
    st.sampled_from(["00:00:00", "23:59:60", "24:00:00", "99:99:99", "00:00", ""]),
    st.sampled_from([" GMT", " +9999", " -0000", " X", "", " +999999999999"]),
)


@given(st.dictionaries(st.sampled_from([b"retry-after", b"date"]), st.binary(max_size=80) | dates))
def test_whatever_a_vendor_asks_is_a_number_of_seconds(fields):
    seconds = retry_after_s(fields)

    assert seconds >= 0
    assert math.isfinite(seconds)

"""What follows a failure: the whole table."""

from itertools import product

import pytest

from proxy.routing.retry import SAME_VENDOR_DELAY_S, GiveUp, Retry, decide, targets
from proxy.versions.content import Routing, VendorModel

PRIMARY = VendorModel(vendor="openai", id="gpt-4o")
OTHERS = tuple(VendorModel(vendor=f"vendor-{n}", id="gpt-4o") for n in range(1, 4))

CASES = list(product(range(1, 11), range(4), range(1, 12)))


def routing(attempts, others):
    return Routing(attempts=attempts, fallback=OTHERS[:others])


@pytest.mark.parametrize(
    ("attempts", "others", "attempt", "outcome"),
    [
        (1, 0, 1, GiveUp("no attempt is left")),
        (2, 0, 1, Retry(0, SAME_VENDOR_DELAY_S)),
        (2, 0, 2, GiveUp("no attempt is left")),
        (1, 1, 1, GiveUp("no attempt is left")),
        (2, 1, 1, Retry(1, 0.0)),
        (3, 1, 2, Retry(0, 0.0)),
        (4, 1, 3, Retry(1, 0.0)),
        (4, 2, 2, Retry(2, 0.0)),
        (4, 2, 3, Retry(0, 0.0)),
        (4, 2, 4, GiveUp("no attempt is left")),
    ],
)
def test_attempts_go_round_the_targets_until_none_is_left(attempts, others, attempt, outcome):
    assert decide(routing(attempts, others), attempt=attempt, not_sent=True) == outcome


@pytest.mark.parametrize("others", range(4))
def test_the_whole_table(others):
    for attempts, _, attempt in (case for case in CASES if case[1] == others):
        outcome = decide(routing(attempts, others), attempt=attempt, not_sent=True)

        if attempt >= attempts:
            assert isinstance(outcome, GiveUp)
        else:
            delay_s = 0.0 if others else SAME_VENDOR_DELAY_S
            assert outcome == Retry(attempt % (others + 1), delay_s)


def test_what_may_have_been_served_is_never_repeated():
    outcomes = {
        decide(routing(attempts, others), attempt=attempt, not_sent=False)
        for attempts, others, attempt in CASES
    }

    assert outcomes == {GiveUp("the request may have been served and billed")}


@pytest.mark.parametrize("others", range(4))
def test_every_retry_has_a_target(others):
    rules = routing(10, others)
    known = targets(PRIMARY, rules)

    outcomes = [decide(rules, attempt=attempt, not_sent=True) for attempt in range(1, 10)]

    assert known == (PRIMARY, *OTHERS[:others])
    assert {outcome.target for outcome in outcomes} == set(range(len(known)))


def test_the_first_attempt_goes_to_the_version_s_own_target():
    assert targets(PRIMARY, routing(3, 2))[0] == PRIMARY

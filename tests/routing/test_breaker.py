"""A circuit breaker: step by step, and against a model that remembers everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.breaker import Breaker, State, blames_vendor
from proxy.routing.retry import Failure, Kind
from proxy.routing.rules import BreakerLimits

LIMITS = BreakerLimits(failures=3, window_s=10.0, open_s=5.0)


def opened(at=0.0):
    breaker = Breaker(LIMITS)
    assert [breaker.failed(at, trial=False) for _ in range(3)] == [False, False, True]
    return breaker


def test_failures_in_a_row_open_it():
    breaker = opened(at=7.0)

    assert breaker.state is State.OPEN
    assert breaker.refuses(7.0)
    assert breaker.refuses(11.9)
    assert not breaker.refuses(12.0)


def test_an_answer_between_failures_keeps_it_closed():
    breaker = Breaker(LIMITS)

    for step in range(100):
        breaker.failed(step * 0.01, trial=False)
        breaker.failed(step * 0.01, trial=False)
        breaker.answered(step * 0.01, trial=False)

    assert breaker.state is State.CLOSED


def test_failures_that_are_far_apart_keep_it_closed():
    breaker = Breaker(LIMITS)

    assert not any(breaker.failed(step * 5.1, trial=False) for step in range(100))


def test_one_request_is_let_through_as_a_trial():
    breaker = opened()

    assert breaker.called(5.0)

    assert not breaker.called(5.0)
    assert breaker.state is State.HALF_OPEN
    assert breaker.refuses(5.0)


def test_a_trial_that_is_answered_closes_it():
    breaker = opened()
    breaker.called(5.0)

    assert breaker.answered(5.0, trial=True)

    assert breaker.state is State.CLOSED
    assert not breaker.refuses(5.0)
    assert not breaker.failed(5.1, trial=False)


def test_a_trial_that_fails_opens_it_for_another_while():
    breaker = opened()
    breaker.called(5.0)

    assert not breaker.failed(8.0, trial=True)

    assert breaker.state is State.OPEN
    assert breaker.refuses(12.9)
    assert not breaker.refuses(13.0)


def test_a_trial_that_comes_to_no_end_is_followed_by_another():
    breaker = opened()
    breaker.called(5.0)

    assert breaker.refuses(9.9)
    assert not breaker.refuses(10.0)


def test_what_was_sent_before_it_opened_does_not_keep_it_open():
    breaker = opened()

    for now in (1.0, 2.0, 4.9):
        breaker.failed(now, trial=False)

    assert not breaker.refuses(5.0)


def test_an_answer_closes_it_whenever_it_was_asked_for():
    breaker = opened()

    assert breaker.answered(1.0, trial=False)

    assert breaker.state is State.CLOSED


def test_what_was_sent_before_does_not_end_a_trial_by_failing():
    breaker = opened()
    breaker.called(5.0)

    breaker.failed(5.1, trial=False)

    assert breaker.state is State.HALF_OPEN
    assert not breaker.refuses(10.0)


# --- a rate

HALF = BreakerLimits(failures=100, window_s=10.0, open_s=5.0, rate=0.5, least=20)


def every_other(breaker, count, *, start=0.0, step_s=0.1):
    """Play calls of which the second, the fourth and so on fail; return which opened it."""
    opening = []
    for number in range(count):
        now = start + number * step_s
        if number % 2 == 0:
            breaker.answered(now, trial=False)
        elif breaker.failed(now, trial=False):
            opening.append(number)
    return opening


def test_a_vendor_that_fails_every_other_time_is_left_alone():
    breaker = Breaker(HALF)

    assert every_other(breaker, 40) == [19]

    assert breaker.state is State.OPEN
    assert breaker.refuses(6.8)


def test_without_a_rate_it_is_not():
    assert every_other(Breaker(LIMITS), 1000) == []


def test_fewer_calls_than_are_wanted_prove_nothing():
    assert every_other(Breaker(HALF), 1000, step_s=0.6) == []


def test_a_share_below_the_rate_keeps_it_closed():
    breaker = Breaker(HALF)

    for number in range(1000):
        now = number * 0.01
        breaker.answered(now, trial=False)
        breaker.answered(now, trial=False)
        assert not breaker.failed(now, trial=False)


def test_failures_in_a_row_open_it_beside_a_rate():
    breaker = Breaker(BreakerLimits(failures=3, window_s=10.0, open_s=5.0, rate=1.0, least=1000))

    assert [breaker.failed(1.0, trial=False) for _ in range(3)] == [False, False, True]


def test_with_a_rate_only_the_answer_to_a_trial_closes_it():
    breaker = Breaker(HALF)
    every_other(breaker, 20)

    assert not breaker.answered(2.0, trial=False)
    assert breaker.state is State.OPEN
    assert breaker.called(7.0)
    assert not breaker.answered(7.1, trial=False)
    assert breaker.answered(7.2, trial=True)

    assert breaker.state is State.CLOSED


def test_what_was_counted_before_it_opened_does_not_open_it_again():
    breaker = Breaker(HALF)
    every_other(breaker, 20)
    breaker.called(7.0)
    breaker.answered(7.0, trial=True)

    assert every_other(breaker, 40, start=7.1) == [19]


class Naive:
    """Works everything out anew from all that happened."""

    def __init__(self, limits):
        self.limits = limits
        self.row = []  # times of failures since the last answer
        self.open_since = None
        self.trial_at = None

    def state(self):
        if self.open_since is None:
            return State.CLOSED
        return State.OPEN if self.trial_at is None else State.HALF_OPEN

    def refuses(self, now):
        began = self.open_since if self.trial_at is None else self.trial_at
        return began is not None and now < began + self.limits.open_s

    def called(self, now):
        if self.open_since is None or self.refuses(now):
            return False
        self.trial_at = now
        return True

    def failed(self, now, *, trial):
        if self.trial_at is not None and trial:
            self.open_since, self.trial_at = now, None
        elif self.open_since is None:
            self.row.append(now)
            last = self.row[-self.limits.failures :]
            if len(last) == self.limits.failures and last[-1] - last[0] <= self.limits.window_s:
                self.open_since = now

    def answered(self, now, *, trial):
        self.row, self.open_since, self.trial_at = [], None, None


steps = st.lists(
    st.tuples(
        st.sampled_from(["called", "failed", "failed", "failed", "answered", "wait"]),
        st.integers(0, 8),
        st.booleans(),
    ),
    max_size=60,
)
limits = st.builds(
    BreakerLimits, st.integers(1, 4), st.integers(1, 20).map(float), st.integers(1, 10).map(float)
)

rates = st.builds(
    BreakerLimits,
    *(st.integers(1, 9), st.integers(1, 20).map(float), st.integers(1, 10).map(float)),
    rate=st.floats(0.1, 1.0),
    least=st.integers(1, 20),
)


@given(limits, steps)
def test_it_does_what_a_model_does_that_remembers_everything(rules, events):
    breaker, naive, now = Breaker(rules), Naive(rules), 0.0

    for event, wait_s, trial in events:
        now += wait_s
        before = naive.state()
        if event == "called":
            assert breaker.called(now) == naive.called(now)
        elif event == "answered":
            naive.answered(now, trial=trial)
            assert breaker.answered(now, trial=trial) == (before is not State.CLOSED)
        elif event == "failed":
            naive.failed(now, trial=trial)
            opened = before is State.CLOSED and naive.state() is State.OPEN
            assert breaker.failed(now, trial=trial) == opened

        assert breaker.state is naive.state()
        assert breaker.refuses(now) == naive.refuses(now)


@given(limits | rates, steps)
def test_it_never_refuses_for_longer_than_it_may(rules, events):
    breaker, now = Breaker(rules), 0.0

    for event, wait_s, trial in events:
        now += wait_s
        if event == "called":
            breaker.called(now)
        elif event == "failed":
            breaker.failed(now, trial=trial)

        assert not breaker.refuses(now + rules.open_s)


@pytest.mark.parametrize(
    ("failure", "blamed"),
    [
        (Failure(Kind.NO_CONNECTION), True),
        (Failure(Kind.RESET), True),
        (Failure(Kind.FIRST_BYTE_TIMEOUT), True),
        (Failure(Kind.UNUSABLE), True),
        (Failure(Kind.NOT_CALLED), False),
        (Failure(Kind.STATUS, 400), False),
        (Failure(Kind.STATUS, 404), False),
        (Failure(Kind.STATUS, 429), True),
        (Failure(Kind.STATUS, 500), True),
        (Failure(Kind.STATUS, 529), True),
    ],
)
def test_only_what_tells_against_the_vendor_is_counted(failure, blamed):
    assert blames_vendor(failure) is blamed

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
    assert [breaker.failed(at) for _ in range(3)] == [False, False, True]
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
        breaker.failed(step * 0.01)
        breaker.failed(step * 0.01)
        breaker.answered()

    assert breaker.state is State.CLOSED


def test_failures_that_are_far_apart_keep_it_closed():
    breaker = Breaker(LIMITS)

    assert not any(breaker.failed(step * 5.1) for step in range(100))


def test_one_request_is_let_through_as_a_trial():
    breaker = opened()

    breaker.called(5.0)

    assert breaker.state is State.HALF_OPEN
    assert breaker.refuses(5.0)


def test_a_trial_that_is_answered_closes_it():
    breaker = opened()
    breaker.called(5.0)

    assert breaker.answered()

    assert breaker.state is State.CLOSED
    assert not breaker.refuses(5.0)
    assert not breaker.failed(5.1)


def test_a_trial_that_fails_opens_it_for_another_while():
    breaker = opened()
    breaker.called(5.0)

    assert not breaker.failed(8.0)

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
        breaker.failed(now)

    assert not breaker.refuses(5.0)


def test_an_answer_closes_it_whenever_it_was_asked_for():
    breaker = opened()

    assert breaker.answered()

    assert breaker.state is State.CLOSED


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
        if self.open_since is not None and not self.refuses(now):
            self.trial_at = now

    def failed(self, now):
        if self.trial_at is not None:
            self.open_since, self.trial_at = now, None
        elif self.open_since is None:
            self.row.append(now)
            last = self.row[-self.limits.failures :]
            if len(last) == self.limits.failures and last[-1] - last[0] <= self.limits.window_s:
                self.open_since = now

    def answered(self):
        self.row, self.open_since, self.trial_at = [], None, None


steps = st.lists(
    st.tuples(
        st.sampled_from(["called", "failed", "failed", "failed", "answered", "wait"]),
        st.integers(0, 8),
    ),
    max_size=60,
)
limits = st.builds(
    BreakerLimits, st.integers(1, 4), st.integers(1, 20).map(float), st.integers(1, 10).map(float)
)


@given(limits, steps)
def test_it_does_what_a_model_does_that_remembers_everything(rules, events):
    breaker, naive, now = Breaker(rules), Naive(rules), 0.0

    for event, wait_s in events:
        now += wait_s
        before = naive.state()
        told = False
        if event == "answered":
            naive.answered()
            told = breaker.answered()
            assert told == (before is not State.CLOSED)
        elif event != "wait":
            getattr(naive, event)(now)
            told = getattr(breaker, event)(now)
        if event == "failed":
            assert told == (before is State.CLOSED and naive.state() is State.OPEN)

        assert breaker.state is naive.state()
        assert breaker.refuses(now) == naive.refuses(now)


@given(limits, steps)
def test_it_never_refuses_for_longer_than_it_may(rules, events):
    breaker, now = Breaker(rules), 0.0

    for event, wait_s in events:
        now += wait_s
        if event in ("called", "failed"):
            getattr(breaker, event)(now)

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

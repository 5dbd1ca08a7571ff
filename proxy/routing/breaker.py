"""A circuit breaker: who keeps failing is left alone for a while. Pure; times are passed in.

It counts failures in a row, not a rate: with a rate, a busy model would lose its vendor over the
few errors that every vendor makes. One answer makes all failures before it forgotten.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from proxy.routing.retry import Failure, Kind
from proxy.routing.rules import BreakerLimits


class State(StrEnum):
    CLOSED = "closed"  # requests pass
    OPEN = "open"  # none is to pass
    HALF_OPEN = "half_open"  # one passes, to see whether the next may


class Breaker:
    """Closed at first. `limits.failures` in a row within `window_s` open it. After `open_s` one
    request is let through as a trial: an answer closes it, a failure opens it for another while.
    A trial that comes to no end is followed by another one after `open_s`.

    Times are seconds on one clock that never goes back.
    """

    __slots__ = ("_failures", "_limits", "_trial", "_until")

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._failures: deque[float] = deque(maxlen=limits.failures)
        self._until: float | None = None
        self._trial = False

    @property
    def state(self) -> State:
        if self._until is None:
            return State.CLOSED
        return State.HALF_OPEN if self._trial else State.OPEN

    def refuses(self, now: float) -> bool:
        """Say whether a request should not be sent at `now`."""
        return self._until is not None and now < self._until

    def called(self, now: float) -> None:
        """Take note that a request is sent: a trial, if it is the first that may be again. One
        that is sent in spite of a refusal, for want of another target, is none."""
        if self._until is not None and now >= self._until:
            self._trial, self._until = True, now + self._limits.open_s

    def failed(self, now: float) -> bool:
        """Take note of a failure; say whether it opened what was closed."""
        limits = self._limits
        if self._until is not None:
            if self._trial:
                self._trial, self._until = False, now + limits.open_s
            return False
        self._failures.append(now)
        enough = len(self._failures) == limits.failures
        if not enough or now - self._failures[0] > limits.window_s:
            return False
        self._failures.clear()
        self._until = now + limits.open_s
        return True

    def answered(self) -> bool:
        """Take note of an answer; say whether it closed what was open."""
        opened = self._until is not None
        self._failures.clear()
        self._trial, self._until = False, None
        return opened


def blames_vendor(failure: Failure) -> bool:
    """Say whether a failure tells against the target; one that does not is an answer like any
    other, or came about before the vendor had a part in it."""
    if failure.kind is Kind.STATUS:
        return failure.status == 429 or failure.status >= 500
    return failure.kind is not Kind.NOT_CALLED

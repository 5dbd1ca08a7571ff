"""A circuit breaker: who keeps failing is left alone for a while. Pure; times are passed in.

It counts failures in a row: one answer makes all failures before it forgotten. Who fails every
other time never fails often in a row, so rules may name a rate beside that. It is none by default:
a busy model would lose its vendor over a few bad seconds of what others wait for.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from proxy.routing.retry import Failure, Kind
from proxy.routing.rules import BreakerLimits
from proxy.routing.tally import Tally


class State(StrEnum):
    CLOSED = "closed"  # requests pass
    OPEN = "open"  # none is to pass
    HALF_OPEN = "half_open"  # one passes, to see whether the next may


class Breaker:
    """Closed at first. `limits.failures` in a row within `window_s` open it; so does, if `limits`
    name a rate, such a share of failures among the calls of `window_s`, if they are `least` or
    more. After `open_s` one request is let through as a trial: an answer closes it, a failure opens
    it for another while. A trial that comes to no end is followed by another one after `open_s`.

    Times are seconds on one clock that never goes back.
    """

    __slots__ = ("_failures", "_limits", "_tally", "_trial", "_until")

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._failures: deque[float] = deque(maxlen=limits.failures)
        self._tally = Tally(limits.window_s) if limits.rate else None
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

    def called(self, now: float) -> bool:
        """Take note that a request is sent; say whether it is a trial. The first that may be sent
        again is one; what is sent in spite of a refusal, for want of another target, is none."""
        if self._until is None or now < self._until:
            return False
        self._trial, self._until = True, now + self._limits.open_s
        return True

    def failed(self, now: float, *, trial: bool) -> bool:
        """Take note that a request failed, and whether it was a trial; say whether that opened what
        was closed."""
        limits = self._limits
        if self._until is not None:
            if self._trial and trial:
                self._trial, self._until = False, now + limits.open_s
            return False
        self._failures.append(now)
        if self._tally is not None:
            self._tally.add(now, failed=True)
        if not self._fails_too_often(now):
            return False
        self._forget()
        self._until = now + limits.open_s
        return True

    def answered(self, now: float, *, trial: bool) -> bool:
        """Take note of an answer, and whether it was to a trial; say whether it closed what was
        open. Where a rate counts, an answer to what was sent before proves nothing: who fails
        every other time gives such answers too."""
        opened = self._until is not None
        if opened and self._tally is not None and not trial:
            return False
        self._failures.clear()
        if self._tally is not None and not opened:
            self._tally.add(now, failed=False)
        self._trial, self._until = False, None
        return opened

    def _fails_too_often(self, now: float) -> bool:
        limits = self._limits
        in_a_row = len(self._failures) == limits.failures
        if in_a_row and now - self._failures[0] <= limits.window_s:
            return True
        if self._tally is None:
            return False
        calls, failures = self._tally.counted(now)
        return calls >= limits.least and failures / calls >= limits.rate

    def _forget(self) -> None:
        self._failures.clear()
        if self._tally is not None:
            self._tally.forget()


def blames_vendor(failure: Failure) -> bool:
    """Say whether a failure tells against the target; one that does not is an answer like any
    other, or came about before the vendor had a part in it."""
    if failure.kind is Kind.STATUS:
        return failure.status == 429 or failure.status >= 500
    return failure.kind is not Kind.NOT_CALLED

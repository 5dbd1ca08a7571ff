"""The attempts of one request: where it may go, and where it went."""

from __future__ import annotations

from proxy.errors import RequestError, UpstreamUnreachable
from proxy.routing.retry import Failure, GiveUp, Kind, Retry, Standing, decide
from proxy.routing.rules import Rules


class Attempts:
    """Remembers which targets were asked, and which of them wanted to be left alone for a while.

    `order` are the targets that may be asked, by number; the first one is, or was.
    """

    __slots__ = ("_order", "_ready", "_rules", "_tried")

    def __init__(self, rules: Rules, order: tuple[int, ...]) -> None:
        self._rules = rules
        self._order = order
        self._tried = [order[0]]
        self._ready: dict[int, float] = {}

    @property
    def target(self) -> int:
        """The one that is asked, or was asked last."""
        return self._tried[-1]

    def after(self, failure: Failure, now: float, end: float, *, begun: bool) -> Retry | GiveUp:
        """Say what follows, now that the last attempt failed. `end` is when the request's time is
        over, on the clock of `now`."""
        if failure.retry_after_s:
            self._ready[self.target] = now + failure.retry_after_s
        waits = {target: ready - now for target, ready in self._ready.items()}
        standing = Standing(self._order, tuple(self._tried), waits, end - now, begun)
        step = decide(self._rules, failure, standing)
        if isinstance(step, Retry):
            self._tried.append(step.target)
        return step


def failure_of(error: RequestError, *, not_sent: bool) -> Failure:
    """Return what `error`, which a connection to a vendor ended with, means for the rules."""
    if not_sent:
        return Failure(Kind.NOT_SENT)
    return Failure(Kind.RESET if isinstance(error, UpstreamUnreachable) else Kind.UNUSABLE)

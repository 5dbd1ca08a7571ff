"""The attempts of one request: where it may go, and where it went."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.errors import Overloaded, RequestError, UpstreamUnreachable
from proxy.gateway.circuits import Circuit
from proxy.routing.breaker import blames_vendor
from proxy.routing.retry import Failure, GiveUp, Kind, Retry, Standing, decide
from proxy.routing.rules import Rules


class Attempts:
    """Remembers which targets were asked, and which of them wanted to be left alone for a while.

    `order` are the targets that may be asked, by number; the first one is, or was. `circuits` are
    those of all targets of the version, none if it has no rules for them.
    """

    __slots__ = ("_circuits", "_order", "_ready", "_rules", "_trial", "_tried")

    def __init__(
        self, rules: Rules, order: tuple[int, ...], circuits: Sequence[Circuit] = ()
    ) -> None:
        self._rules = rules
        self._order = order
        self._circuits = circuits
        self._tried = [order[0]]
        self._ready: dict[int, float] = {}
        self._trial = False

    @property
    def target(self) -> int:
        """The one that is asked, or was asked last."""
        return self._tried[-1]

    def called(self, now: float) -> None:
        """Take note that the target is called."""
        if self._circuits:
            self._trial = self._circuits[self.target].breaker.called(now)

    def answered(self, now: float) -> None:
        """Take note that the target answered, and well."""
        if self._circuits:
            self._circuits[self.target].answered(now, trial=self._trial)

    def after(self, failure: Failure, now: float, end: float, *, begun: bool) -> Retry | GiveUp:
        """Say what follows, now that the last attempt failed. `end` is when the request's time is
        over, on the clock of `now`."""
        if not begun:
            self._note(failure, now)
        waits = {target: ready - now for target, ready in self._ready.items()}
        standing = Standing(
            self._order, tuple(self._tried), waits, end - now, begun, shut(self._circuits, now)
        )
        step = decide(self._rules, failure, standing)
        if isinstance(step, Retry):
            self._tried.append(step.target)
        return step

    def _note(self, failure: Failure, now: float) -> None:
        if failure.retry_after_s:
            self._ready[self.target] = now + failure.retry_after_s
        if not self._circuits:
            return
        if blames_vendor(failure):
            self._circuits[self.target].failed(now, trial=self._trial)
        elif failure.kind is Kind.STATUS:
            self.answered(now)


def shut(circuits: Sequence[Circuit], now: float) -> frozenset[int]:
    """Return the numbers of those that refuse requests at `now`."""
    return frozenset(n for n, circuit in enumerate(circuits) if circuit.breaker.refuses(now))


def failure_of(error: RequestError, *, not_sent: bool) -> Failure:
    """Return what `error`, which a connection to a vendor ended with, means for the rules."""
    if not_sent:
        ours = isinstance(error, Overloaded)
        return Failure(Kind.NOT_CALLED if ours else Kind.NO_CONNECTION)
    return Failure(Kind.RESET if isinstance(error, UpstreamUnreachable) else Kind.UNUSABLE)

"""Where requests go: what all of them share when a target is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.errors import CircuitOpen
from proxy.gateway.attempts import Attempts, shut
from proxy.gateway.circuits import Circuit, Circuits
from proxy.gateway.plan import Plan
from proxy.gateway.vendors import Vendors
from proxy.routing.choose import order
from proxy.routing.sticky import scores


class Router:
    """`draw` gives random numbers from [0, 1), for versions whose requests are shared by weight."""

    def __init__(self, vendors: Vendors, circuits: Circuits, draw: Callable[[], float]) -> None:
        self.circuits = circuits
        self._vendors = vendors
        self._draw = draw

    def is_plain(self, made: Plan, dialect: str) -> bool:
        """Say whether a request simply goes to the first target, which is known without a thought
        for the others: they are there for a failure, and most requests see none."""
        if made.rules.weights or made.rules.breaker is not None:
            return False
        return self._vendors.speaks(made.targets[0].vendor, dialect)

    def attempts(self, made: Plan, dialect: str, now: float) -> Attempts:
        """Return the attempts of a request that may go here or there, the first target chosen.

        Vendors that are not configured here, or do not speak `dialect`, are passed over; if that
        leaves none, the first is called for what its absence is answered with. Raises
        `CircuitOpen` if no target is to be called, and the rules say that none is then.
        """
        rules, speaks = made.rules, self._vendors.speaks
        able = [n for n, target in enumerate(made.targets) if speaks(target.vendor, dialect)]
        circuits = self._circuits_of(made)
        refusing = shut(circuits, now) if circuits else frozenset()
        if rules.breaker is not None and rules.breaker.refuse and refusing.issuperset(able or (0,)):
            raise CircuitOpen()
        suited = _scores(made) if made.key else ()
        draw = self._draw() if rules.weights and not suited else 0.0
        return Attempts(rules, order(rules, tuple(able) or (0,), draw, refusing, suited), circuits)

    def _circuits_of(self, made: Plan) -> Sequence[Circuit]:
        limits = made.rules.breaker
        if limits is None:
            return ()
        return tuple(self.circuits.of(target, limits) for target in made.targets)


def _scores(made: Plan) -> Sequence[float]:
    weights = made.rules.weights
    names = [f"{target.vendor}/{target.model}" for target in made.targets[: len(weights)]]
    return scores(made.key, names, weights)

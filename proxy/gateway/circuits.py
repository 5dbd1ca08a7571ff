"""The circuit breakers of a proxy, one for each target and rules, and what is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy import events
from proxy.fleet.snapshot import Target
from proxy.observe.stats import Stats
from proxy.routing.breaker import Breaker, State
from proxy.routing.rules import BreakerLimits

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# Far more than targets are in use at once; the oldest goes first, and begins anew if it comes back.
MOST_CIRCUITS = 1000


class Circuits:
    """Versions with the same rules share what they learn of a target; those with other rules do
    not, so that none is bound by what another one finds too much."""

    def __init__(self, log: FilteringBoundLogger, stats: Stats) -> None:
        self._log = log
        self._stats = stats
        self._circuits: dict[tuple[str, str, BreakerLimits], Circuit] = {}

    def of(self, target: Target, limits: BreakerLimits) -> Circuit:
        key = (target.vendor, target.model, limits)
        circuit = self._circuits.get(key)
        if circuit is None:
            if len(self._circuits) >= MOST_CIRCUITS:
                del self._circuits[next(iter(self._circuits))]
            circuit = Circuit(target, limits, self._log, self._stats)
            self._circuits[key] = circuit
        return circuit

    def shown(self) -> dict[str, str]:
        """Return the state of those that are not closed, by vendor and vendor model."""
        states = (
            (f"{vendor}/{model}", circuit.breaker.state)
            for (vendor, model, _), circuit in self._circuits.items()
        )
        return {name: state for name, state in states if state is not State.CLOSED}


class Circuit:
    """A breaker that says when it opens and closes."""

    __slots__ = ("_limits", "_log", "_stats", "_target", "breaker")

    def __init__(
        self, target: Target, limits: BreakerLimits, log: FilteringBoundLogger, stats: Stats
    ) -> None:
        self.breaker = Breaker(limits)
        self._limits = limits
        self._target = target
        self._log = log
        self._stats = stats

    def failed(self, now: float, *, trial: bool) -> None:
        if self.breaker.failed(now, trial=trial):
            vendor, model = self._target.vendor, self._target.model
            self._stats.circuits_opened[vendor] += 1
            self._log.warning(
                events.CIRCUIT_OPENED,
                vendor=vendor,
                vendor_model=model,
                open_s=self._limits.open_s,
            )

    def answered(self, now: float, *, trial: bool) -> None:
        if self.breaker.answered(now, trial=trial):
            vendor, model = self._target.vendor, self._target.model
            self._log.info(events.CIRCUIT_CLOSED, vendor=vendor, vendor_model=model)

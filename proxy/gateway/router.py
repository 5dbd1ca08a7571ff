"""Where requests go: what all of them share when a target is chosen."""

from __future__ import annotations

from collections.abc import Callable

from proxy.gateway.attempts import Attempts
from proxy.gateway.plan import Plan
from proxy.gateway.vendors import Vendors
from proxy.routing.choose import order


class Router:
    """`dice` are thrown for versions whose requests are shared: numbers from [0, 1)."""

    def __init__(self, vendors: Vendors, dice: Callable[[], float]) -> None:
        self._vendors = vendors
        self._dice = dice

    def attempts(self, made: Plan, dialect: str) -> Attempts:
        """Return the attempts of a request that has several targets, the first one chosen.

        Vendors that are not configured here, or do not speak `dialect`, are passed over; if that
        leaves none, the first is called for what its absence is answered with.
        """
        speaks = self._vendors.speaks
        able = [n for n, target in enumerate(made.targets) if speaks(target.vendor, dialect)]
        draw = self._dice() if made.rules.weights else 0.0
        return Attempts(made.rules, order(made.rules, tuple(able) or (0,), draw))

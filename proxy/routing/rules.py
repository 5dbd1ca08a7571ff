"""A version's routing rules, made ready for requests. Pure."""

from __future__ import annotations

import math

import msgspec

from proxy.versions.routing import Routing, Target


class Waits(msgspec.Struct, frozen=True, gc=False):
    """The limits of a request's waits, in seconds.

    A version may be in more of a hurry than the operator's settings; how long a proxy bears to
    wait is not its to say.
    """

    connect_s: float = math.inf
    first_byte_s: float = math.inf
    idle_s: float = math.inf
    write_s: float = math.inf

    def within(self, other: Waits) -> Waits:
        """Return the shorter of both, each."""
        return Waits(
            min(self.connect_s, other.connect_s),
            min(self.first_byte_s, other.first_byte_s),
            min(self.idle_s, other.idle_s),
            min(self.write_s, other.write_s),
        )


class BreakerLimits(msgspec.Struct, frozen=True, gc=False):
    """When a target is left alone. `rate` is a share of failures that is too many where there were
    `least` calls, 0 if none is. `refuse` says that a request is refused where all targets are left
    alone; else it is sent all the same."""

    failures: int
    window_s: float
    open_s: float
    refuse: bool = False
    rate: float = 0.0
    least: int = 1


class Rules(msgspec.Struct, frozen=True, gc=False):
    """What `[routing]` of a version says.

    `waits` are those of each target; empty where all are left to the operator, which most versions
    do. `weights` are those of the targets that share the requests, the first of all; empty where
    one gets them all. `sticky` names what keeps a request with one of them.
    `steered` is False where there is nothing to choose: one target, whatever it does.
    """

    timeout_s: float
    attempts: int = 1
    retry_on: frozenset[str] = frozenset()
    waits: tuple[Waits, ...] = ()
    weights: tuple[int, ...] = ()
    sticky: tuple[str, ...] = ()
    breaker: BreakerLimits | None = None
    steered: bool = False

    @classmethod
    def of(cls, routing: Routing) -> Rules:
        shared = (routing.weight, *(target.weight for target in routing.targets))
        return cls(
            routing.timeout_s,
            routing.attempts,
            frozenset(routing.retry_on),
            _waits(routing),
            shared if routing.targets else (),
            routing.sticky,
            _breaker(routing),
            bool(routing.targets or routing.fallback or routing.breaker is not None),
        )


def _waits(routing: Routing) -> tuple[Waits, ...]:
    general = _said(routing)
    others = (*routing.targets, *routing.fallback)
    every = (general, *(tuple(map(_own_or, _said(one), general)) for one in others))
    if all(seconds is None for said in every for seconds in said):
        return ()
    return tuple(
        Waits(*(math.inf if seconds is None else seconds for seconds in said)) for said in every
    )


def _said(part: Routing | Target) -> tuple[float | None, ...]:
    return part.connect_timeout_s, part.first_byte_timeout_s, part.idle_timeout_s


def _own_or(own: float | None, general: float | None) -> float | None:
    return general if own is None else own


def _breaker(routing: Routing) -> BreakerLimits | None:
    said = routing.breaker
    if said is None:
        return None
    return BreakerLimits(
        said.failures,
        said.window_s,
        said.open_s,
        said.all_open == "refuse",
        said.failure_rate or 0.0,
        said.min_requests,
    )

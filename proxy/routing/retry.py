"""What to do after an attempt failed: a decision that says why. Pure.

Only what cannot have been served is repeated by itself. Everything else is repeated where the
version's rules name it, and never once a byte of an answer has reached the app.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from proxy.routing.rules import Rules
from proxy.versions.routing import Routing, VendorModel

# Before a target is asked a second time; twice as long before each time after that. A target that
# was not asked yet is asked at once.
SAME_TARGET_DELAY_S = 0.1
MAX_BACKOFF_S = 2.0

# An app is not kept waiting longer than this for one more attempt, whatever a vendor asks for: it
# gets the refusal, and can wait better itself.
MAX_WAIT_S = 10.0


class Kind(StrEnum):
    """How an attempt failed. Those that `retry_on` may name have the name that is used there."""

    NOT_CALLED = "not_called"  # the proxy could not even try
    NO_CONNECTION = "no_connection"  # the vendor could not be reached: nothing was sent
    STATUS = "status"  # an answer with a status of 400 or more
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"  # no head of an answer in time
    RESET = "reset"  # the connection ended before there was a head
    UNUSABLE = "unusable"  # an answer that cannot be passed on


@dataclass(frozen=True, slots=True)
class Failure:
    """`status` is that of the answer, if there was one; `retry_after_s` what it asked to wait."""

    kind: Kind
    status: int = 0
    retry_after_s: float = 0.0

    @property
    def name(self) -> str:
        """As `retry_on` writes it, where that can name it."""
        return f"status:{self.status}" if self.status else self.kind


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands after an attempt failed.

    `order` are the targets that it may go to, by number, as they are to be tried; `tried` those
    that it went to, one an attempt. `waits` says of targets in how many seconds they may be asked
    again, `left_s` is what is left of the request's time. `begun`: the app has a byte. `shut` are
    targets whose circuits are open.
    """

    order: tuple[int, ...]
    tried: tuple[int, ...]
    waits: Mapping[int, float] = field(default_factory=dict)
    left_s: float = float("inf")
    begun: bool = False
    shut: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `after_s` seconds, with target number `target` (from 0)."""

    target: int
    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str


def targets(primary: VendorModel, routing: Routing) -> tuple[VendorModel, ...]:
    """Return all targets of a version, in the order that numbers them."""
    return (primary, *routing.targets, *routing.fallback)


def counts(rules: Rules, failure: Failure) -> bool:
    """Say whether another attempt may follow, as far as what went wrong decides that."""
    if failure.kind in (Kind.NOT_CALLED, Kind.NO_CONNECTION):
        return True
    if failure.kind is not Kind.STATUS:
        return failure.kind in rules.retry_on
    one = f"status:{failure.status}" in rules.retry_on
    return one or (failure.status >= 500 and "status:5xx" in rules.retry_on)


def decide(rules: Rules, failure: Failure, standing: Standing) -> Retry | GiveUp:
    """Say what follows an attempt that failed."""
    if standing.begun:
        return GiveUp("a part of the answer has reached the app")
    if not counts(rules, failure):
        return GiveUp("the rules do not let this be repeated")
    if len(standing.tried) >= rules.attempts:
        return GiveUp("no attempt is left")
    candidates = _candidates(standing)
    free = [candidate for candidate in candidates if candidate[1] not in standing.shut]
    if not free and rules.breaker is not None and rules.breaker.refuse:
        return GiveUp("the circuits of all targets are open")
    after_s, target = min(free or candidates, key=lambda candidate: candidate[0])
    if after_s > MAX_WAIT_S or after_s >= standing.left_s:
        return GiveUp("no target can be asked in time")
    return Retry(target, after_s)


def _candidates(standing: Standing) -> list[tuple[float, int]]:
    """Return the targets with the time until each may be asked, those after the last one first."""
    order, tried = standing.order, standing.tried
    start = order.index(tried[-1]) + 1
    return [(_delay_s(standing, target), target) for target in (*order[start:], *order[:start])]


def _delay_s(standing: Standing, target: int) -> float:
    times = standing.tried.count(target)
    backoff_s = min(SAME_TARGET_DELAY_S * 2.0 ** (times - 1), MAX_BACKOFF_S) if times else 0.0
    return max(backoff_s, standing.waits.get(target, 0.0))


def retry_after_s(fields: Mapping[bytes, bytes]) -> float:
    """Return the seconds that an answer with these headers asks to wait; 0 if it asks for nothing
    that can be read. A date is compared with the answer's own, so no clock is needed."""
    for name, unit_s in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        value = fields.get(name, b"").strip()
        if 0 < len(value) <= 12 and value.isdigit():
            return int(value) * unit_s
    wanted, now = _date(fields.get(b"retry-after")), _date(fields.get(b"date"))
    if wanted is None or now is None:
        return 0.0
    return max((wanted - now).total_seconds(), 0.0)


def _date(value: bytes | None) -> datetime | None:
    """Read an HTTP date (RFC 9110, section 5.6.7); its obsolete forms are not read."""
    if value is None or len(value) > 64:
        return None
    try:
        return datetime.strptime(value.decode("latin-1"), "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return None

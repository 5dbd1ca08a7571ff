"""What to do after a vendor failed: a decision that says why. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.versions.content import Routing, VendorModel

# Between two attempts at the same vendor; another vendor is asked at once.
SAME_VENDOR_DELAY_S = 0.1


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `after_s` seconds, with target number `target` (from 0)."""

    target: int
    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str


def targets(primary: VendorModel, routing: Routing) -> tuple[VendorModel, ...]:
    """Return the targets in the order in which attempts go through them, round and round."""
    return (primary, *routing.fallback)


def decide(routing: Routing, *, attempt: int, not_sent: bool) -> Retry | GiveUp:
    """Say what follows after attempt number `attempt` (from 1) failed before any answer.

    `not_sent` says that nothing of the request can have reached the vendor. Anything else may
    have been served and billed, so it is never repeated.
    """
    if not not_sent:
        return GiveUp("the request may have been served and billed")
    if attempt >= routing.attempts:
        return GiveUp("no attempt is left")
    count = 1 + len(routing.fallback)
    return Retry(attempt % count, 0.0 if count > 1 else SAME_VENDOR_DELAY_S)

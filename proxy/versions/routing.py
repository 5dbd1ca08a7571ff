"""The routing rules of a version: where its requests go, and what follows a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from proxy.versions.values import Integer, Name, Part, Pause, Share, Text, Wait, Weight

_RETRIED = re.compile(r"status:(?:4[0-9]{2}|5[0-9]{2}|5xx)|first_byte_timeout|reset")

# By these a vendor refuses a request, unworked and unbilled. Two that say that a server waited in
# vain are no refusals: the vendor's own servers may have gone on meanwhile.
_REFUSED = re.compile(r"status:(?:4(?!08|99)[0-9]{2}|529)")


def _retried_failure(text: str) -> str:
    if _RETRIED.fullmatch(text) is None:
        raise ValueError(
            "must be status:NNN (400 and up), status:5xx, first_byte_timeout or reset; what was "
            "not sent is repeated without being named"
        )
    return text


def _as_set(names: tuple[str, ...]) -> tuple[str, ...]:
    """Order does not matter here, so it must not make another version."""
    return tuple(sorted(set(names)))


_STICKY = re.compile(
    r"user|header:[a-z0-9-]{1,64}|field:[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64})?"
)


def _sticky(text: str) -> str:
    if _STICKY.fullmatch(text) is None:
        raise ValueError("must be user, header:NAME in lower case, field:NAME or field:NAME.NAME")
    return text


StickyKey = Annotated[str, AfterValidator(_sticky)]
RetriedFailure = Annotated[str, AfterValidator(_retried_failure)]


class VendorModel(Part):
    """Where a request goes: a key of `[vendors]` in proxy.toml, and the vendor's own model id."""

    vendor: Name
    id: Text = Field(min_length=1, max_length=256)


class Target(VendorModel):
    """A target beside `[model]`. Waits that are not set are those of `[routing]`."""

    connect_timeout_s: Wait | None = None
    first_byte_timeout_s: Wait | None = None
    idle_timeout_s: Wait | None = None


class SharedTarget(Target):
    """A target that gets a share of the requests: `weight` out of the sum of all weights."""

    weight: Weight = 1


class BreakerRules(Part):
    """When a target that keeps failing is left alone for a while."""

    failures: Integer = Field(5, ge=1, le=100)
    window_s: Pause = 30.0
    failure_rate: Share | None = None
    min_requests: Integer = Field(20, ge=1, le=10000)
    open_s: Pause = 15.0
    all_open: Literal["try", "refuse"] = "try"


class Routing(Part):
    """Where a request goes, how long that may take, and what another attempt follows.

    `[model]` gets `weight` of the requests, `targets` theirs; requests with the same value of what
    `sticky` names go to the same one. `fallback` is asked where those fail.
    Attempts count the first. Only what cannot have been served is followed by another, and what
    `retry_on` names. Waits that are not set are the operator's, whose limits are never exceeded.
    """

    timeout_s: Wait = 600.0
    connect_timeout_s: Wait | None = None
    first_byte_timeout_s: Wait | None = None
    idle_timeout_s: Wait | None = None
    attempts: Integer = Field(1, ge=1, le=10)
    retry_on: Annotated[tuple[RetriedFailure, ...], AfterValidator(_as_set)] = ()
    may_bill_twice: bool = False
    weight: Weight = 1
    targets: tuple[SharedTarget, ...] = Field((), max_length=16)
    sticky: tuple[StickyKey, ...] = Field((), max_length=8)
    fallback: tuple[Target, ...] = ()
    breaker: BreakerRules | None = None


RoutingComplaint = tuple[tuple[str | int, ...], str]
"""As `content.Complaint`: where something is wrong, and what."""


def routing_complaints(routing: Routing) -> Iterator[RoutingComplaint]:
    """Yield what no single field shows."""
    yield from _unsaid_risks(routing)
    yield from _shared_with_nobody(routing)
    yield from _least_of_no_rate(routing.breaker)


def _unsaid_risks(routing: Routing) -> Iterator[RoutingComplaint]:
    """Money is spent twice only where the version says in so many words that it may be."""
    risky = [name for name in routing.retry_on if _REFUSED.fullmatch(name) is None]
    if risky and not routing.may_bill_twice:
        yield (
            ("routing", "retry_on"),
            f"{', '.join(risky)}: the vendor may have served and billed the request already; "
            "say may_bill_twice = true if that is worth it",
        )


def _least_of_no_rate(breaker: BreakerRules | None) -> Iterator[RoutingComplaint]:
    if breaker is not None and breaker.min_requests != 20 and breaker.failure_rate is None:
        yield ("routing", "breaker", "min_requests"), "goes with failure_rate"


def _shared_with_nobody(routing: Routing) -> Iterator[RoutingComplaint]:
    if routing.targets:
        return
    alone = "there are no [[routing.targets]] to share the requests with"
    if routing.weight != 1:
        yield ("routing", "weight"), alone
    if routing.sticky:
        yield ("routing", "sticky"), alone

"""Whether a drill may use `prod` itself: only where nothing is known that could go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from proxy.control.back import HISTORY_LIMIT
from proxy.control.confirm import MISSING, counted
from proxy.control.drill import Plan
from proxy.errors import DrillRefused, Frozen
from proxy.store.base import Store
from proxy.versions.backward import holders, pin_events
from proxy.versions.record import PROD, SERVING, Event, Guards, Member

# Whoever pinned a moment ago is still looking at what it does.
QUIET_S = 300.0


async def require_safe(store: Store, plan: Plan, by: str, now: datetime) -> None:
    """Raise `Frozen` or `DrillRefused` unless `prod` may be moved to the other version and back.
    `by` is who asks; `now` should be near to the store's clock."""
    guards = await store.guards(plan.model)
    if guards.frozen:
        raise Frozen(f"{plan.model} is frozen", hint="rehearse without --live, or unfreeze it")
    events = await store.history(plan.model, HISTORY_LIMIT)
    reasons = [
        *_not_free(plan, events, guards),
        *_not_quiet(events, by, now),
        *_not_well(plan, await store.members()),
    ]
    if reasons:
        raise DrillRefused(
            f"{PROD} is not moved for a drill now: {'; '.join(reasons)}",
            hint="nothing was changed; without --live the drill needs none of this",
        )


def _not_free(plan: Plan, events: Sequence[Event], guards: Guards) -> Iterator[str]:
    other = plan.other.info.id
    if other not in set(holders(events, PROD)):
        yield f"{PROD} never held {other}"
    if other in guards.revoked:
        yield f"{other} was revoked"
    if f"{PROD}:{other}" in guards.unratified:
        yield f"{other} was forced there and not ratified"


def _not_quiet(events: Sequence[Event], by: str, now: datetime) -> Iterator[str]:
    last = next(pin_events(events, PROD), None)
    if last is None or last.by == by:
        return
    age = now - datetime.fromisoformat(last.at)
    if age < timedelta(seconds=QUIET_S):
        yield f"{last.by} changed it {max(0, age.total_seconds()):.0f} s ago"


def _not_well(plan: Plan, members: Sequence[Member]) -> Iterator[str]:
    key = f"{plan.model}@{PROD}"
    for one in counted(members):
        state = one.state if one.live else MISSING
        if state != SERVING:
            yield f"{one.name} is {state}"
        elif one.versions.get(key) != plan.held.info.id or key in one.rejected:
            yield f"{one.name} does not serve {plan.held.info.id}"

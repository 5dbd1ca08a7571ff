"""One look at everything: pins, guards, fleet, store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from proxy.control.back import HISTORY_LIMIT
from proxy.control.catalog import labels_of
from proxy.control.confirm import MISSING, counted
from proxy.control.gate import gate_json
from proxy.control.references import require_model
from proxy.errors import NoRollbackTarget
from proxy.settings import Drills
from proxy.store.base import Store
from proxy.versions.backward import pin_events, rollback_target
from proxy.versions.evidence import Drill
from proxy.versions.record import (
    PROD,
    Event,
    Guards,
    Kind,
    Member,
    Pin,
    Pins,
    VersionInfo,
)


@dataclass(frozen=True, slots=True)
class LabelState:
    """What a label holds. `event` is the change that put it there; None: somebody set the pin by
    hand. `pin` is None for a pin that cannot be read."""

    label: str
    pin: Pin | None
    event: Event | None

    def json(self) -> dict[str, Any]:
        pin, event = self.pin, self.event
        return {
            "id": pin.id if pin else None,
            "digest": pin.digest if pin else None,
            "epoch": pin.epoch if pin else None,
            "since": event.at if event else None,
            "by": event.by if event else None,
            "reason": event.reason if event else None,
            "forced": event is not None and event.forced,
            "broken": pin is None,
            "unrecorded": pin is not None and event is None,
        }


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model. `back` is where a rollback of prod would go; None: nowhere. `freeze` is who froze
    it and when; None: it is not frozen, or that is too long ago. `drill_age_s` is how long ago the
    last drill was; None: there was none. `drill_due` says that this is too long, or that it did not
    show what it had to."""

    model: str
    count: int
    newest: VersionInfo
    labels: tuple[LabelState, ...]
    guards: Guards
    back: str | None
    freeze: Event | None = None
    drill_age_s: float | None = None
    drill_due: bool = False

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "versions": self.count,
            "newest": self.newest.id,
            "labels": {state.label: state.json() for state in self.labels},
            "frozen": self.guards.frozen,
            "frozen_reason": self.guards.frozen_reason,
            "frozen_by": self.freeze.by if self.freeze is not None else None,
            "frozen_at": self.freeze.at if self.freeze is not None else None,
            "revoked": self.guards.revoked,
            "rollback_target": self.back,
            "gate": gate_json(self.guards.gate),
            "unratified": [
                {"label": label, "version": version, "epoch": epoch}
                for label, version, epoch in self.unratified
            ],
            "last_drill": drill_json(self.guards.drill, self.drill_age_s),
            "drill_due": self.drill_due,
        }

    @property
    def unratified(self) -> list[tuple[str, str, int]]:
        """The labels and ids of versions that were forced and not ratified, and their epochs."""
        forced = sorted(self.guards.unratified.items(), key=lambda item: item[1])
        places = ((place.partition(":"), epoch) for place, epoch in forced)
        return [(label, version, epoch) for (label, _, version), epoch in places]

    @property
    def forced(self) -> frozenset[tuple[str, str]]:
        """The same labels and ids, to look one up."""
        return frozenset((label, version) for label, version, _ in self.unratified)


@dataclass(frozen=True, slots=True)
class ProxyState:
    """One proxy. `state` is `missing` for one that fell silent; `differs` says that its release or
    vendor table is not what most of the fleet has; `others` is what it serves, by `model@label`,
    where that is not what the store has; `contact_age_s` is how long ago it had heard from the
    store, as far as is known."""

    member: Member
    state: str
    differs: bool
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def contact_age_s(self) -> float | None:
        contact_s = self.member.contact_s
        return None if contact_s is None else round(contact_s + self.member.age_s, 3)

    def json(self) -> dict[str, Any]:
        member = self.member
        return {
            "name": member.name,
            "instance": member.instance,
            "epoch": member.epoch,
            "state": self.state,
            "store": member.store,
            "contact_age_s": self.contact_age_s,
            "older": member.older,
            "detail": member.detail,
            "age_s": round(member.age_s, 3),
            "release": member.release,
            "fingerprint": member.fingerprint,
            "differs": self.differs,
            "versions": member.versions,
            "others": dict(self.others),
        }


@dataclass(frozen=True, slots=True)
class Status:
    """`behind` says that some proxy serves a later epoch than the store has."""

    store: str
    epoch: int
    models: tuple[ModelState, ...]
    fleet: tuple[ProxyState, ...]
    behind: bool

    def json(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "epoch": self.epoch,
            "behind": self.behind,
            "models": [state.json() for state in self.models],
            "fleet": [proxy.json() for proxy in self.fleet],
            "last_drill": self._last_drill(),
        }

    def _last_drill(self) -> dict[str, Any] | None:
        """Return the last drill of any model."""
        held = [one for one in self.models if one.guards.drill is not None]
        last = min(held, key=lambda one: one.drill_age_s or 0.0, default=None)
        return drill_json(last.guards.drill, last.drill_age_s) if last is not None else None


async def status(
    store: Store,
    models: Collection[str] = (),
    *,
    max_age_days: float = Drills().max_age_days,
    now: datetime | None = None,
) -> Status:
    """Return the state of `models`, or of all. A drill is due `max_age_days` after the last one;
    0: never. Raises `UnknownModelNamed`."""
    pins = await store.pins()
    names = sorted(models) or await store.models()
    moment = now or datetime.now(UTC)
    states = [await _model_state(store, name, pins) for name in names]
    members = await store.members()
    return Status(
        store=await store.ping(),
        epoch=pins.epoch,
        models=tuple(rehearsed(state, max_age_days, moment) for state in states),
        fleet=fleet_states(members, pins),
        behind=any(member.epoch > pins.epoch for member in members),
    )


def rehearsed(state: ModelState, max_age_days: float, now: datetime) -> ModelState:
    """Return `state` with what `now` makes of its last drill. Where there is no other version, or
    nothing in prod, there is nothing to rehearse."""
    drill = state.guards.drill
    age_s = None
    if drill is not None:
        age_s = max(0.0, (now - datetime.fromisoformat(drill.at)).total_seconds())
    old = age_s is None or age_s > max_age_days * 86400
    possible = state.count > 1 and any(one.label == PROD for one in state.labels)
    wrong = drill is not None and not drill.reverted
    due = max_age_days > 0 and possible and (old or wrong)
    return replace(state, drill_age_s=age_s, drill_due=due)


def drill_json(drill: Drill | None, age_s: float | None) -> dict[str, Any] | None:
    if drill is None:
        return None
    return {
        "model": drill.model,
        "label": drill.label,
        "from": drill.from_,
        "to": drill.to,
        "reverted": drill.reverted,
        "rollback_ms": drill.rollback_ms,
        "proxies": drill.proxies,
        "by": drill.by,
        "at": drill.at,
        "age_s": age_s,
    }


def fleet_states(members: Sequence[Member], pins: Pins) -> tuple[ProxyState, ...]:
    """Return the proxies that are there or missed, and what they serve besides `pins`."""
    odd = odd_members([member for member in members if member.live])
    pinned = {f"{model}@{label}": pin.id for (model, label), pin in pins.pins.items()}
    return tuple(
        ProxyState(
            member,
            member.state if member.live else MISSING,
            member.key in odd,
            {key: id for key, id in member.versions.items() if pinned.get(key) != id},
        )
        for member in counted(members)
    )


async def _model_state(store: Store, model: str, pins: Pins) -> ModelState:
    versions = await require_model(store, model)
    events = await store.history(model, HISTORY_LIMIT)
    guards = await store.guards(model)
    return ModelState(
        model=model,
        count=len(versions),
        newest=versions[-1],
        labels=label_states(pins, model, events),
        guards=guards,
        back=where_back(pins, model, events, guards),
        freeze=_freeze(events) if guards.frozen else None,
    )


def _freeze(events: Sequence[Event]) -> Event | None:
    """Return the event, of those that come newest first, that froze a model which is frozen."""
    return next((event for event in events if event.kind is Kind.FREEZE), None)


def label_states(pins: Pins, model: str, events: Sequence[Event]) -> tuple[LabelState, ...]:
    """Return the labels of `model` with what they hold; prod first."""
    held = [_label_state(pins.pins[model, label], events) for label in labels_of(pins, model)]
    broken = sorted(label for name, label in pins.broken if name == model)
    return (*held, *(LabelState(label, None, None) for label in broken))


def _label_state(pin: Pin, events: Sequence[Event]) -> LabelState:
    changes = pin_events(events, pin.label)
    event = next((one for one in changes if one.operation == pin.operation), None)
    recorded = event is not None and event.version == pin.id
    return LabelState(pin.label, pin, event if recorded else None)


def where_back(pins: Pins, model: str, events: Sequence[Event], guards: Guards) -> str | None:
    """Return the id that a rollback of prod would go to; None if there is none."""
    pin = pins.pins.get((model, PROD))
    try:
        return rollback_target(events, PROD, pin.id if pin else None, guards.revoked)
    except NoRollbackTarget:
        return None


def odd_members(members: Sequence[Member]) -> frozenset[str]:
    """Return, by key, who differs from most in release or vendor table: an unfinished roll-out, or
    a proxy that would send requests somewhere else. In a tie the first is taken as usual."""
    kinds = {one.key: (one.release, one.fingerprint) for one in members}
    counts: Mapping[tuple[str, str], int] = {
        kind: list(kinds.values()).count(kind) for kind in kinds.values()
    }
    usual = max(counts, key=lambda kind: counts[kind], default=None)
    return frozenset(key for key, kind in kinds.items() if kind != usual)

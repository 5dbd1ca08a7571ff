"""One look at everything: pins, guards, fleet, store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.control.back import HISTORY_LIMIT
from proxy.control.catalog import labels_of
from proxy.control.references import require_model
from proxy.errors import NoRollbackTarget
from proxy.store.base import Store
from proxy.versions.backward import pin_events, rollback_target
from proxy.versions.record import PROD, Event, Guards, Member, Pin, Pins, VersionInfo


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
    """One model. `back` is where a rollback of prod would go; None: nowhere."""

    model: str
    count: int
    newest: VersionInfo
    labels: tuple[LabelState, ...]
    guards: Guards
    back: str | None

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "versions": self.count,
            "newest": self.newest.id,
            "labels": {state.label: state.json() for state in self.labels},
            "frozen": self.guards.frozen,
            "frozen_reason": self.guards.frozen_reason,
            "revoked": self.guards.revoked,
            "rollback_target": self.back,
            "gate": None,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """`odd` are members whose release or vendor table differs from most of the fleet's."""

    store: str
    epoch: int
    models: tuple[ModelState, ...]
    members: tuple[Member, ...]
    odd: frozenset[str]

    def json(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "epoch": self.epoch,
            "models": [state.json() for state in self.models],
            "fleet": [_member_json(one, one.name in self.odd) for one in self.members],
            "last_drill": None,
        }


def _member_json(member: Member, differs: bool) -> dict[str, Any]:
    return {
        "name": member.name,
        "epoch": member.epoch,
        "state": member.state,
        "detail": member.detail,
        "age_s": round(member.age_s, 3),
        "release": member.release,
        "fingerprint": member.fingerprint,
        "differs": differs,
        "versions": member.versions,
    }


async def status(store: Store, models: Collection[str] = ()) -> Status:
    """Return the state of `models`, or of all. Raises `UnknownModelNamed`."""
    pins = await store.pins()
    names = sorted(models) or await store.models()
    states = [await _model_state(store, name, pins) for name in names]
    members = await store.members()
    return Status(
        store=await store.ping(),
        epoch=pins.epoch,
        models=tuple(states),
        members=tuple(members),
        odd=odd_members(members),
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
    )


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
    """Return who differs from most in release or vendor table: an unfinished roll-out, or a
    proxy that would send requests somewhere else. In a tie the first by name is taken as usual."""
    kinds = {one.name: (one.release, one.fingerprint) for one in members}
    counts: Mapping[tuple[str, str], int] = {
        kind: list(kinds.values()).count(kind) for kind in kinds.values()
    }
    usual = max(counts, key=lambda kind: counts[kind], default=None)
    return frozenset(name for name, kind in kinds.items() if kind != usual)

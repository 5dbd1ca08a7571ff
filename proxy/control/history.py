"""What was pinned, when, by whom and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proxy.control.back import HISTORY_LIMIT
from proxy.control.references import require_label, require_model
from proxy.store.base import Store
from proxy.store.evidence_text import detail_of
from proxy.versions.backward import held_at
from proxy.versions.record import PIN_KINDS, Event, Kind

_FREEZES = frozenset({Kind.FREEZE, Kind.UNFREEZE})
_SHOWN = PIN_KINDS | _FREEZES | {Kind.GATE, Kind.RATIFY, Kind.DRILL}


@dataclass(frozen=True, slots=True)
class History:
    """What was done to a model, newest first: pins, freezes, changes of the gate, ratified pins and
    drills. `events` is all of it in one order."""

    model: str
    events: tuple[Event, ...]

    def of(self, *kinds: Kind) -> Iterator[Event]:
        return (event for event in self.events if event.kind in kinds)

    @property
    def pins(self) -> tuple[Event, ...]:
        return tuple(self.of(*PIN_KINDS))

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "pins": [_pin_json(event) for event in self.pins],
            "freezes": [
                {"frozen": event.kind is Kind.FREEZE, **_who_json(event)}
                for event in self.of(*_FREEZES)
            ],
            "gates": [
                {"gate": detail_of(event.detail), **_who_json(event)}
                for event in self.of(Kind.GATE)
            ],
            "ratified": [
                {"label": event.label, "version": event.version, **_who_json(event)}
                for event in self.of(Kind.RATIFY)
            ],
            "drills": [
                {"report": detail_of(event.detail), **_who_json(event)}
                for event in self.of(Kind.DRILL)
            ],
        }


@dataclass(frozen=True, slots=True)
class Held:
    """What every label of every model held at `moment`, by the change that put it there."""

    moment: datetime
    pins: tuple[Event, ...]

    def json(self) -> dict[str, Any]:
        return {
            "at": self.moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "pins": [
                {
                    "model": event.model,
                    "label": event.label,
                    "version": event.version,
                    "digest": event.digest,
                    "since": event.at,
                    "by": event.by,
                    "reason": event.reason,
                    "epoch": event.epoch,
                }
                for event in self.pins
            ],
        }


def _pin_json(event: Event) -> dict[str, Any]:
    return {
        "label": event.label,
        "from": event.previous,
        "to": event.version,
        "digest": event.digest,
        "kind": str(event.kind),
        "epoch": event.epoch,
        **_who_json(event),
        "forced": event.forced,
        "revoked": event.revoked,
        "restored": event.restored,
        "verdict": event.verdict,
    }


def _who_json(event: Event) -> dict[str, Any]:
    return {
        "at": event.at,
        "by": event.by,
        "reason": event.reason,
        "operation": event.operation,
    }


async def history(
    store: Store, model: str, *, label: str | None = None, limit: int = HISTORY_LIMIT
) -> History:
    """Return the last `limit` things that were done to `model`; with a label, only what was about
    that one.

    Raises `UnknownModelNamed` or `InvalidArgument`.
    """
    if label is not None:
        require_label(label)
    events = await store.history(model, HISTORY_LIMIT)
    if not events:
        await require_model(store, model)
    shown = [e for e in events if e.kind in _SHOWN and label in (None, e.label)]
    return History(model, tuple(shown[:limit]))


async def at(store: Store, moment: datetime) -> Held:
    """Return what was pinned at `moment`, which has a time zone."""
    pins: list[Event] = []
    for model in await store.models():
        held = held_at(await store.history(model, HISTORY_LIMIT), moment)
        pins += [held[label] for label in sorted(held)]
    return Held(moment, tuple(pins))

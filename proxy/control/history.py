"""What was pinned, when, by whom and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proxy.control.back import HISTORY_LIMIT
from proxy.control.references import require_label, require_model
from proxy.store.base import Store
from proxy.versions.backward import held_at
from proxy.versions.record import PIN_KINDS, Event, Kind

_FREEZES = frozenset({Kind.FREEZE, Kind.UNFREEZE})


@dataclass(frozen=True, slots=True)
class History:
    """A model's changes, newest first."""

    model: str
    pins: tuple[Event, ...]
    freezes: tuple[Event, ...]

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "pins": [_pin_json(event) for event in self.pins],
            "freezes": [
                {"frozen": event.kind is Kind.FREEZE, **_who_json(event)} for event in self.freezes
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
        "verdict": None,
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
    """Return the last `limit` pins of `model`, of one label or of all, and its freezes.

    Raises `UnknownModelNamed` or `InvalidArgument`.
    """
    if label is not None:
        require_label(label)
    events = await store.history(model, HISTORY_LIMIT)
    if not events:
        await require_model(store, model)
    pins = [e for e in events if e.kind in PIN_KINDS and label in (None, e.label)]
    freezes = [event for event in events if event.kind in _FREEZES]
    return History(model, tuple(pins[:limit]), tuple(freezes))


async def at(store: Store, moment: datetime) -> Held:
    """Return what was pinned at `moment`, which has a time zone."""
    pins: list[Event] = []
    for model in await store.models():
        held = held_at(await store.history(model, HISTORY_LIMIT), moment)
        pins += [held[label] for label in sorted(held)]
    return Held(moment, tuple(pins))

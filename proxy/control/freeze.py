"""Stop forward pins of a model, or let them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proxy.control.act import Act
from proxy.control.references import require_model
from proxy.store.base import Store
from proxy.versions.record import Event


@dataclass(frozen=True, slots=True)
class FreezeReport:
    model: str
    frozen: bool
    event: Event

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "frozen": self.frozen,
            "at": self.event.at,
            "by": self.event.by,
            "reason": self.event.reason,
            "operation": self.event.operation,
        }


async def set_frozen(store: Store, model: str, frozen: bool, act: Act) -> FreezeReport:
    """Freeze or unfreeze `model`. Doing so twice is not an error. Raises `UnknownModelNamed`."""
    await require_model(store, model)
    event = await store.freeze(model, frozen, by=act.by, reason=act.reason, operation=act.operation)
    return FreezeReport(model, frozen, event)

"""One swap from beginning to end: sent once, then confirmed by the fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.control.confirm import Confirmation, Wait, confirm
from proxy.control.prepare import (
    BACKWARD_S,
    FORWARD_S,
    Preparation,
    prepare,
    require_prepared,
)
from proxy.store.base import Change, Moved, Order, Store, Swapped
from proxy.versions.record import Event


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, why, and under which operation id. The same id twice is done once."""

    by: str
    operation: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PinReport:
    """The result of pin, rollback and undo: what moved, who was ready for it, who serves it."""

    swapped: Swapped
    confirmation: Confirmation
    operation: str
    preparation: Preparation = field(default_factory=Preparation)

    @property
    def moved(self) -> tuple[Moved, ...]:
        return self.swapped.moved

    def json(self) -> dict[str, Any]:
        changes = [_moved_json(moved) for moved in self.moved]
        what = changes[0] if len(changes) == 1 else {"changes": changes}
        return {
            **what,
            "epoch": self.swapped.epoch,
            **self.confirmation.json(),
            "prepared": self.preparation.json(),
            "operation": self.operation,
            "replayed": self.swapped.replayed,
        }


def _moved_json(moved: Moved) -> dict[str, Any]:
    return {
        "model": moved.model,
        "label": moved.label,
        "from": moved.previous,
        "to": moved.id,
        "epoch": moved.epoch,
    }


async def carry_out(
    store: Store,
    changes: Sequence[Change],
    act: Act,
    wait: Wait,
    *,
    forward: bool = False,
    floor: int = 0,
) -> PinReport:
    """Let the fleet prepare, send one order, and wait for the fleet.

    `forward` says that a proxy which cannot serve a version stops it. The new epoch lies above
    `floor` and above every epoch that a proxy reported. Raises `NotPrepared`, and what
    `Store.swap` raises; nothing was changed then.
    """
    before = await store.members()
    limit_s = min(FORWARD_S if forward else BACKWARD_S, wait.timeout_s)
    preparation = await prepare(store, changes, before, limit_s)
    if forward:
        require_prepared(preparation)
    order = Order(
        changes=tuple(changes),
        operation=act.operation,
        by=act.by,
        reason=act.reason,
        floor=max((floor, *(member.epoch for member in before))),
    )
    started_s = asyncio.get_running_loop().time()
    swapped = await store.swap(order)
    confirmation = await confirm(
        store, swapped.epoch, wanted(swapped.moved), wait, before=before, started_s=started_s
    )
    return PinReport(swapped, confirmation, act.operation, preparation)


async def confirm_again(store: Store, events: Iterable[Event], act: Act, wait: Wait) -> PinReport:
    """Answer an operation that the history shows as done: nothing is changed, only confirmed."""
    moved = tuple(
        Moved(event.model, event.label, event.previous, event.version, event.epoch)
        for event in events
        if event.version is not None
    )
    swapped = Swapped(max(one.epoch for one in moved), moved, replayed=True)
    started_s = asyncio.get_running_loop().time()
    before = await store.members()
    confirmation = await confirm(
        store, swapped.epoch, wanted(moved), wait, before=before, started_s=started_s
    )
    return PinReport(swapped, confirmation, act.operation)


def wanted(moved: Iterable[Moved]) -> dict[str, str]:
    """Return what proxies report, by `model@label`, once they serve what was pinned."""
    return {f"{one.model}@{one.label}": one.id for one in moved}

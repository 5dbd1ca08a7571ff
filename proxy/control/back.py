"""Going back: rollback to what a label held before, undo of its last change."""

from __future__ import annotations

from proxy.control.act import Act, PinReport, carry_out, confirm_again
from proxy.control.confirm import Wait
from proxy.control.references import Found, find, find_id, require_label, require_model
from proxy.errors import NoRollbackTarget
from proxy.store.base import Change, Expect, Store
from proxy.versions.backward import applied, holders, reversal, rollback_target
from proxy.versions.record import PROD, Event, Guards, Kind

# Decisions look at the whole history of one model; this bounds the memory that may cost.
HISTORY_LIMIT = 100_000


async def rollback(
    store: Store, model: str, act: Act, wait: Wait, *, label: str = PROD, to: str | None = None
) -> PinReport:
    """Put back the version that `label` held before, and revoke the one that is left.

    `to` names another earlier holder. Raises `NoRollbackTarget`, or `Conflict` if the label
    changed while this was decided; nothing was changed then.
    """
    require_label(label)
    events = await _history(store, model)
    if done := applied(events, label, act.operation):
        return await confirm_again(store, done, act, wait)
    pins = await store.pins()
    pin = pins.pins.get((model, label))
    current = pin.id if pin is not None else None
    if to is None:
        revoked = (await store.guards(model)).revoked
        target = await find_id(store, model, rollback_target(events, label, current, revoked))
    else:
        target = await _earlier_holder(store, model, label, to, events, current)
    # A pin that cannot be read matches no expectation, and must not stop an emergency.
    expect = None if (model, label) in pins.broken else Expect(current)
    change = _change(target, label, Kind.ROLLBACK, expect=expect, revoke=True)
    return await carry_out(store, [change], act, wait)


async def undo(store: Store, model: str, act: Act, wait: Wait, *, label: str = PROD) -> PinReport:
    """Reverse the last change of `label`: an undone rollback also lifts the revocation it made.

    Raises `NothingToUndo`, or `Conflict` if the label does not hold what the history says.
    """
    require_label(label)
    events = await _history(store, model)
    if done := applied(events, label, act.operation):
        return await confirm_again(store, done, act, wait)
    reverse = reversal(events, label)
    change = _change(
        await find_id(store, model, reverse.id),
        label,
        Kind.UNDO,
        expect=Expect(reverse.leaves),
        revoke=reverse.revoke,
        restore=reverse.restore,
    )
    return await carry_out(store, [change], act, wait)


async def goes_back(store: Store, model: str, label: str, id: str, guards: Guards) -> bool:
    """Say whether `label` held this version before, and it may freely be pinned again: nobody
    rolled back from it since, and it did not come there by force only."""
    if id in guards.revoked or f"{label}:{id}" in guards.unratified:
        return False
    return id in set(holders(await store.history(model, HISTORY_LIMIT), label))


async def _history(store: Store, model: str) -> list[Event]:
    events = await store.history(model, HISTORY_LIMIT)
    if not events:
        await require_model(store, model)
    return events


async def _earlier_holder(
    store: Store, model: str, label: str, to: str, events: list[Event], current: str | None
) -> Found:
    found = await find(store, model, to)
    if found.info.id == current:
        raise NoRollbackTarget(
            f"{label} holds {current} already", hint=f"proxyctl history {model} lists what it held"
        )
    if found.info.id not in set(holders(events, label)):
        raise NoRollbackTarget(
            f"{label} never held {found.info.id}",
            hint=f"proxyctl pin {model} {to} takes a version that is new to {label}",
        )
    return found


def _change(
    target: Found,
    label: str,
    kind: Kind,
    *,
    expect: Expect | None,
    revoke: bool,
    restore: bool = False,
) -> Change:
    info = target.info
    return Change(
        info.model,
        label,
        info.id,
        info.digest,
        expect=expect,
        kind=kind,
        revoke=revoke,
        restore=restore,
    )

"""Going back: what a label held, and what a rollback or an undo makes of it.

Pure functions over a model's history, newest event first, as the store returns it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from proxy.errors import NoRollbackTarget, NothingToUndo
from proxy.versions.record import PIN_KINDS, Event


@dataclass(frozen=True, slots=True)
class Reversal:
    """What undoing the last change does: the label goes from `leaves` to `id`, and a revocation
    that the change made or lifted is lifted or made again."""

    id: str
    leaves: str
    restore: bool
    revoke: bool


def pin_events(events: Iterable[Event], label: str) -> Iterator[Event]:
    """Yield the changes of what `label` holds."""
    return (event for event in events if event.kind in PIN_KINDS and event.label == label)


def holders(events: Iterable[Event], label: str) -> Iterator[str]:
    """Yield the ids that `label` was made to hold, the latest first; one may come repeatedly."""
    return (event.version for event in pin_events(events, label) if event.version is not None)


def rollback_target(
    events: Iterable[Event], label: str, current: str | None, revoked: Collection[str]
) -> str:
    """Return the latest earlier holder that is neither current nor revoked.

    Raises `NoRollbackTarget`.
    """
    for holder in holders(events, label):
        if holder != current and holder not in revoked:
            return holder
    if current is None:
        raise NoRollbackTarget(f"{label} holds nothing and never held a version", hint="pin one")
    raise NoRollbackTarget(
        f"{label} held no other version that was not revoked since",
        hint="pin another version; --force with a --reason takes a revoked one",
    )


def reversal(events: Iterable[Event], label: str) -> Reversal:
    """Return what undoes the last change of `label`, which may be an undo itself.

    Raises `NothingToUndo`: it never changed, or the last change was the first.
    """
    last = next(pin_events(events, label), None)
    if last is None or last.version is None:
        raise NothingToUndo(f"{label} was never pinned", hint="proxyctl history shows what was")
    if last.previous is None:
        raise NothingToUndo(
            f"the last change of {label} was the first pin",
            hint="pin another version; a label is never emptied",
        )
    return Reversal(
        id=last.previous,
        leaves=last.version,
        restore=last.revoked is not None,
        revoke=last.restored is not None,
    )


def held_at(events: Iterable[Event], moment: datetime) -> dict[str, Event]:
    """Return, by label, the change that put there what it held at `moment`."""
    held: dict[str, Event] = {}
    for event in events:
        if event.kind in PIN_KINDS and datetime.fromisoformat(event.at) <= moment:
            held.setdefault(event.label, event)
    return held


def applied(events: Iterable[Event], label: str, operation: str) -> list[Event]:
    """Return the changes of `label` that the operation made, so that it is not decided anew."""
    return [event for event in pin_events(events, label) if event.operation == operation]

"""What both stores keep as JSON: a version's metadata, a lease, the result of an operation.

A result is kept under its operation id, so that a repeated call gets the first answer. `scope`
says what the operation was about: an id that is used again for something else is refused, since
its caller would take an old answer for a new change.

Numbers may be spelled as strings: Lua would write large ones with an exponent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from proxy.errors import InvalidArgument, StoreUnsafe
from proxy.store.base import Change, Moved, NewVersion, Order, Swapped
from proxy.versions.record import (
    Event,
    Kind,
    Member,
    Meta,
    Pin,
    Registered,
    Version,
    VersionInfo,
)

# How long a repeated operation is recognised: longer than anybody comes back to a lost command.
OPERATION_TTL_S = 7 * 24 * 3600

# A pin is looked for among this many of its model's latest events before it is recorded: as many
# as a history shows unless asked for more. In Redis everybody waits meanwhile, some milliseconds.
RECORDED_AMONG = 1000

# What reading JSON can fail with: text that is not UTF-8, and brackets in thousands, have errors of
# their own.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Kept:
    """The JSON beside a version's bytes."""

    id: str
    digest: str
    at_ms: int
    bytes: int
    by: str
    message: str = ""
    parent: str | None = None
    commit: str | None = None
    dirty: bool | None = None

    def info(self, model: str, number: int) -> VersionInfo:
        meta = Meta(self.by, self.message, self.parent, self.commit, self.dirty)
        at = rfc3339(self.at_ms)
        return VersionInfo(model, number, self.id, self.digest, at, meta, self.bytes)


@dataclass(frozen=True, slots=True)
class _Scoped:
    scope: str


@dataclass(frozen=True, slots=True)
class RegisterResult:
    scope: str
    number: int
    info: Kept

    def registered(self, model: str) -> Registered:
        return Registered(self.info.info(model, self.number), created=True)


@dataclass(frozen=True, slots=True)
class MovedResult:
    model: str
    label: str
    id: str
    epoch: int
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class SwapResult:
    scope: str
    epoch: int
    moved: tuple[MovedResult, ...]

    def swapped(self, *, replayed: bool) -> Swapped:
        moved = (Moved(m.model, m.label, m.previous, m.id, m.epoch) for m in self.moved)
        return Swapped(self.epoch, tuple(moved), replayed)


@dataclass(frozen=True, slots=True)
class EventResult:
    scope: str
    event: dict[str, str]


def register_scope(new: NewVersion) -> str:
    return f"register {new.model} {new.digest}"


def swap_scope(order: Order) -> str:
    """Name the labels only: a repeated rollback may have computed another target."""
    return "swap " + " ".join(sorted(f"{c.model}:{c.label}" for c in order.changes))


def freeze_scope(model: str, frozen: bool) -> str:
    return f"{_freeze_kind(frozen)} {model}"


def restore_scope(info: VersionInfo) -> str:
    return f"restore {info.id} {info.digest}"


def record_scope(pin: Pin) -> str:
    """Name the pin, but for its operation, in which people may have written anything."""
    return f"record {pin.model}:{pin.label} {pin.epoch} {pin.id}"


def _freeze_kind(frozen: bool) -> Kind:
    return Kind.FREEZE if frozen else Kind.UNFREEZE


def freeze_fields(frozen: bool, *, by: str, reason: str, operation: str) -> dict[str, str]:
    """Return the fields of the event, but for the epoch and the time: the store adds them."""
    fields = {"kind": _freeze_kind(frozen).value, "by": by, "operation": operation}
    return {**fields, "reason": reason} if reason else fields


def restore_fields(info: VersionInfo, *, by: str, operation: str) -> dict[str, str]:
    """Return the fields of the event, but for the epoch and the time: the store adds them."""
    fields = {"kind": Kind.RESTORE.value, "by": by, "operation": operation}
    return {**fields, "version": info.id, "digest": info.digest}


def record_fields(pin: Pin, *, by: str) -> dict[str, str]:
    """Return the fields of the event, but for what the label held before and the time: the store
    adds them. The operation is the pin's: by that the pin is found to be recorded."""
    return {
        "kind": Kind.RECORD.value,
        "epoch": str(pin.epoch),
        "by": by,
        "operation": pin.operation,
        "label": pin.label,
        "version": pin.id,
        "digest": pin.digest,
        "reason": "set by hand",
    }


def first_result(text: str, scope: str, kind: type[_T]) -> _T:
    """Read the result that an operation id had before. Raises `InvalidArgument` if that was for
    something else than `scope`."""
    if decode(text, _Scoped).scope != scope:
        raise other_scope()
    return decode(text, kind)


def other_scope() -> InvalidArgument:
    return InvalidArgument(
        "this operation id was used before, for another change",
        hint="leave --op-id away, or give the one that was printed for this command",
    )


def meta_fields(meta: Meta) -> dict[str, Any]:
    return {name: value for name, value in asdict(meta).items() if value is not None}


def kept_from(version: Version) -> Kept:
    """Return what is kept beside the bytes of a version that was registered before.

    Raises `InvalidArgument` if its time is none.
    """
    info = version.info
    meta = meta_fields(info.meta)
    size = len(version.content)
    return Kept(id=info.id, digest=info.digest, at_ms=milliseconds(info.at), bytes=size, **meta)


def event_fields(
    change: Change, order: Order, epoch: int, previous: str | None, revoked: str | None,
    restored: str | None, verdict: str | None,
) -> dict[str, str]:  # fmt: skip
    """Return a pin event's fields as text, empty ones left away; the store adds the time."""
    fields = {
        "kind": change.kind.value,
        "epoch": str(epoch),
        "by": order.by,
        "operation": order.operation,
        "label": change.label,
        "version": change.id,
        "digest": change.digest,
        "previous": previous,
        "reason": order.reason,
        "forced": "1" if change.force else "",
        "revoked": revoked,
        "restored": restored,
        "verdict": verdict,
    }
    return {name: value for name, value in fields.items() if value}


def event_from(model: str, fields: Mapping[str, str]) -> Event | None:
    """Read an event's fields; None if this release does not know its kind."""
    try:
        kind = Kind(fields["kind"])
        epoch, at_ms = int(fields.get("epoch", "0")), int(fields["at_ms"])
    except (KeyError, ValueError):
        return None
    return Event(
        model=model,
        kind=kind,
        epoch=epoch,
        at=rfc3339(at_ms),
        by=fields.get("by", ""),
        operation=fields.get("operation", ""),
        label=fields.get("label", ""),
        version=fields.get("version"),
        digest=fields.get("digest"),
        previous=fields.get("previous"),
        reason=fields.get("reason", ""),
        forced="forced" in fields,
        revoked=fields.get("revoked"),
        restored=fields.get("restored"),
        verdict=fields.get("verdict"),
        detail=fields.get("detail", ""),
    )


def own_event(model: str, fields: Mapping[str, str]) -> Event:
    """Read the fields of an event that this release wrote."""
    event = event_from(model, fields)
    if event is None:
        raise unreadable()
    return event


def member_from(text: str | bytes, age_s: float, live: bool) -> Member | None:
    """Read a lease; None if another release wrote it in a way that cannot be read."""
    try:
        return replace(msgspec.json.decode(text, type=Member), age_s=age_s, live=live)
    except UNREADABLE:
        return None


def in_order(members: Iterable[Member]) -> list[Member]:
    return sorted(members, key=lambda member: (member.name, member.instance))


def encode(value: Any) -> str:
    return packed(value).decode()


def packed(value: Any) -> bytes:
    return msgspec.json.encode(value)


def decode(text: str | bytes, kind: type[_T]) -> _T:
    """Read what a store kept. Raises `StoreUnsafe` if it was overwritten by something else."""
    try:
        return msgspec.json.decode(text, type=kind, strict=False)
    except UNREADABLE:
        raise unreadable() from None


def unreadable() -> StoreUnsafe:
    return StoreUnsafe(
        "the store holds a record that cannot be read",
        hint="somebody else wrote into it, or a newer release did",
    )


def rfc3339(at_ms: int) -> str:
    """Return a time in milliseconds since 1970 as `2026-11-23T14:18:00.000Z`."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def milliseconds(at: str) -> int:
    """Read what `rfc3339` wrote. Raises `InvalidArgument` if it is something else."""
    try:
        moment = datetime.fromisoformat(at)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, TypeError):  # TypeError: it has no time zone
        raise _no_time() from None
    at_ms = round(since.total_seconds() * 1000)
    if at_ms < 0 or rfc3339(at_ms) != at:
        raise _no_time()
    return at_ms


def _no_time() -> InvalidArgument:
    return InvalidArgument("a time is written as in 2026-11-23T14:18:00.000Z")

"""What a store allows: orders and names that make sense, and the decision on a swap.

`decide` is the rule table of `base.Store.swap`, in Python. SQLite uses it as it is; for Redis the
same table is written in `lua/pin.lua`, because it must run where the data is. A test runs random
orders through both and compares every answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from proxy.errors import (
    CommandError,
    Conflict,
    Frozen,
    InvalidArgument,
    Revoked,
    StoreUnsafe,
    UnknownVersion,
    Unproven,
    VersionConflict,
    VersionCorrupt,
)
from proxy.store.base import MAX_ANSWER_BYTES, Change, Expect, Moved, NewVersion, Order
from proxy.store.pin_text import MAX_EPOCH, decode, encode
from proxy.versions import identity
from proxy.versions.content import MAX_CONTENT_BYTES
from proxy.versions.evidence import Gate, Verdict
from proxy.versions.names import SHORTEST_HEX, is_digest, is_label, is_model_name, split_id
from proxy.versions.record import DRILL, PROD, Kind, Meta, Pin, PinKey, Version, VersionInfo

# It stands in the text of a pin, between bars.
_OPERATION = re.compile(r"[!-{}~]{1,128}", re.ASCII)

GOING_BACK = frozenset({Kind.ROLLBACK, Kind.UNDO})
"""Kinds of changes that go back to what a label held, however it came there."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds about an order's labels and versions, all read at one moment.

    `epoch` is the highest there is. `digests` maps ids of registered versions, `pins` labels to
    the texts of their pins. `held` are labels with versions that a swap put there before,
    `unratified` those of them that were forced there. `gates` are by model, `verdicts` by model and
    digest.
    """

    epoch: int
    digests: Mapping[str, str]
    pins: Mapping[PinKey, str]
    held: AbstractSet[tuple[str, str, str]]
    revoked: AbstractSet[tuple[str, str]]
    frozen: AbstractSet[str]
    unratified: AbstractSet[tuple[str, str, str]] = frozenset()
    gates: Mapping[str, Gate] = field(default_factory=dict)
    verdicts: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One change that is to be written. `revoked` and `restored` are ids whose state changes,
    `verdict` points to the result that the gate let it through for. `forced` says that it counts
    as not ratified from now on, `passed` that it does not any more."""

    change: Change
    pin: Pin
    previous: str | None
    revoked: str | None
    restored: str | None
    verdict: str | None
    forced: bool
    passed: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of an order: the epoch after it, every label's part, and what to write."""

    epoch: int
    moved: tuple[Moved, ...]
    steps: tuple[Step, ...]


def is_operation(text: str) -> bool:
    return _OPERATION.fullmatch(text) is not None


def check_operation(operation: str) -> None:
    if not is_operation(operation):
        raise InvalidArgument("an operation id is 1 to 128 printable ASCII characters, without |")


def check_text(*texts: str | None) -> None:
    """Refuse text that cannot be stored: an argument that was no UTF-8 holds lone surrogates."""
    try:
        "".join(text for text in texts if text is not None).encode()
    except UnicodeEncodeError:
        raise InvalidArgument("text must be valid Unicode") from None


def check_new(new: NewVersion, operation: str) -> None:
    check_operation(operation)
    _check_version(new.model, new.digest, new.content, new.meta)


def check_restored(version: Version, by: str, operation: str) -> None:
    """Raise `InvalidArgument` for what was never registered like this, and `VersionCorrupt` for
    content that is not what the digest is over."""
    check_operation(operation)
    check_text(by)
    info = version.info
    _check_version(info.model, info.digest, version.content, info.meta)
    parts = split_id(info.id)
    if parts is None or (parts[0], parts[1].number) != (info.model, info.number):
        raise InvalidArgument("this version's id is not made of its model and number")
    if not info.digest.removeprefix("sha256:").startswith(parts[1].hexdigits):
        raise InvalidArgument("this version's id is not made of its digest")
    if identity.digest(version.content) != info.digest:
        raise VersionCorrupt()


def check_recorded(pin: Pin, by: str, operation: str) -> None:
    check_operation(operation)
    check_text(by, pin.operation)
    if not (is_model_name(pin.model) and is_label(pin.label)):
        raise InvalidArgument("this is not a valid model name or label")
    if decode(pin.model, pin.label, encode(pin)) != pin:
        raise InvalidArgument("no label can hold this pin")


def check_answer(question: str, member: str, body: bytes) -> None:
    check_operation(question)
    check_text(member)
    if len(body) > MAX_ANSWER_BYTES:
        raise InvalidArgument(f"an answer may have {MAX_ANSWER_BYTES} bytes at most")


def _check_version(model: str, digest: str, content: bytes, meta: Meta) -> None:
    if not is_model_name(model):
        raise InvalidArgument("this is not a valid model name")
    if not is_digest(digest):
        raise InvalidArgument("a digest is sha256: and 64 lower-case hex digits")
    if len(content) > MAX_CONTENT_BYTES:
        raise InvalidArgument(f"a version may have {MAX_CONTENT_BYTES} bytes at most")
    check_text(meta.by, meta.message, meta.parent, meta.commit)


def check_freeze(model: str, by: str, reason: str, operation: str) -> None:
    check_operation(operation)
    check_text(by, reason)
    if not is_model_name(model):
        raise InvalidArgument("this is not a valid model name")


def check_order(order: Order) -> None:
    """Raise `InvalidArgument` for an order that no state of the store could make sense of."""
    check_operation(order.operation)
    check_text(order.by, order.reason)
    labels = {(change.model, change.label) for change in order.changes}
    if not order.changes or len(labels) < len(order.changes):
        raise InvalidArgument("an order has one change for each of its labels, and at least one")
    if not all(is_model_name(model) and is_label(label) for model, label in labels):
        raise InvalidArgument("this is not a valid model name or label")
    for change in order.changes:
        parts = split_id(change.id)
        if parts is None or parts[0] != change.model:
            raise UnknownVersion(f"{change.model} has no version of this id")
        if not is_digest(change.digest):
            raise InvalidArgument("a digest is sha256: and 64 lower-case hex digits")


def decide(order: Order, known: Known) -> Plan:
    """Say what carrying out `order` writes, or raise why it is refused; see `Store.swap`."""
    pins = {key: decode(*key, text) for key, text in known.pins.items()}
    for change in order.changes:
        _registered(change, known)
    for change in order.changes:
        _expected(change, pins, known)
    ahead = _floor(order) > known.epoch
    moving = [change for change in order.changes if ahead or not _is_held(change, pins)]
    verdicts = _guarded([change for change in moving if not _is_free(change, pins)], pins, known)
    return _plan(order, moving, verdicts, pins, known)


def _guarded(
    changes: list[Change], pins: Mapping[PinKey, Pin | None], known: Known
) -> dict[Change, str]:
    """Return the results that let changes through the gate; raise why one is refused."""
    for change in changes:
        if change.model in known.frozen and not change.force and not _backward(change, known):
            raise refusal("FROZEN", change)
    for change in changes:
        if _is_revoked(change, known) and not (change.force or change.restore):
            raise refusal("REVOKED", change)
    verdicts = {}
    for change in (change for change in changes if _is_gated(change, known)):
        proof = _proof(change, pins, known)
        if proof is None:
            raise refusal("UNPROVEN", change)
        verdicts[change] = proof
    return verdicts


def _floor(order: Order) -> int:
    return min(order.floor, MAX_EPOCH)


def _registered(change: Change, known: Known) -> None:
    digest = known.digests.get(change.id)
    if digest is None:
        raise refusal("UNKNOWN", change)
    if digest != change.digest:
        raise refusal("DIGEST", change)


def _expected(change: Change, pins: Mapping[PinKey, Pin | None], known: Known) -> None:
    """A pin that cannot be read is neither nothing nor any version, so no expectation holds."""
    key = (change.model, change.label)
    pin = pins.get(key)
    held = Expect(pin.id if pin else None)
    unreadable = pin is None and key in known.pins
    if change.expect is not None and (unreadable or change.expect != held):
        raise refusal("CONFLICT", change, held.id)


def _is_held(change: Change, pins: Mapping[PinKey, Pin | None]) -> bool:
    pin = pins.get((change.model, change.label))
    return pin is not None and (pin.id, pin.digest) == (change.id, change.digest)


def _is_free(change: Change, pins: Mapping[PinKey, Pin | None]) -> bool:
    """Say whether no guard stands in the way: nothing new comes to the label, as far as is known
    here or is known of the fleet, or to apps."""
    return change.kind is Kind.REPAIR or change.label == DRILL or _is_held(change, pins)


def _is_revoked(change: Change, known: Known) -> bool:
    return (change.model, change.id) in known.revoked


def _backward(change: Change, known: Known) -> bool:
    place = (change.model, change.label, change.id)
    accepted = change.kind in GOING_BACK or place not in known.unratified
    return place in known.held and accepted and not _is_revoked(change, known)


def _is_gated(change: Change, known: Known) -> bool:
    """Say whether this needs a verdict. Undoing a rollback does not, though the version is revoked:
    it had one when it was pinned."""
    if change.label != PROD or change.force or change.model not in known.gates:
        return False
    place = (change.model, change.label, change.id)
    return not (_backward(change, known) or (change.kind in GOING_BACK and place in known.held))


def _proof(change: Change, pins: Mapping[PinKey, Pin | None], known: Known) -> str | None:
    """Return the result that a current verdict points to; None if there is no such verdict."""
    gate, verdict = known.gates[change.model], known.verdicts.get((change.model, change.digest))
    pin = pins.get((change.model, change.label))
    now = (gate.key, gate.suite, pin.digest if pin else "")
    if verdict is None or (verdict.gate, verdict.suite, verdict.baseline) != now:
        return None
    return verdict.result


def _plan(
    order: Order,
    moving: list[Change],
    verdicts: Mapping[Change, str],
    pins: Mapping[PinKey, Pin | None],
    known: Known,
) -> Plan:
    epoch = max(known.epoch, _floor(order) if moving else 0) + bool(moving)
    if epoch > MAX_EPOCH:
        raise refusal("EXHAUSTED", order.changes[0])
    steps = tuple(_steps(order, moving, verdicts, pins, known, epoch))
    written = {step.change: step for step in steps}
    moved = (_moved(change, pins, written.get(change)) for change in order.changes)
    return Plan(epoch, tuple(moved), steps)


def _steps(
    order: Order,
    moving: list[Change],
    verdicts: Mapping[Change, str],
    pins: Mapping[PinKey, Pin | None],
    known: Known,
    epoch: int,
) -> Iterable[Step]:
    revoked = set(known.revoked)
    for change in moving:
        old = pins.get((change.model, change.label))
        previous = old.id if old else None
        left, taken = (change.model, previous or ""), (change.model, change.id)
        revokes = change.revoke and previous not in (None, change.id) and left not in revoked
        if revokes:
            revoked.add(left)
        restores = (change.restore or change.force) and taken in revoked
        if restores:
            revoked.discard(taken)
        guarded = not _is_free(change, pins)
        yield Step(
            change=change,
            pin=Pin(change.model, change.label, epoch, change.id, change.digest, order.operation),
            previous=previous,
            revoked=previous if revokes else None,
            restored=change.id if restores else None,
            verdict=verdicts.get(change),
            forced=guarded and change.force,
            passed=guarded and not change.force and change.kind not in GOING_BACK,
        )


def _moved(change: Change, pins: Mapping[PinKey, Pin | None], step: Step | None) -> Moved:
    if step is not None:
        return Moved(change.model, change.label, step.previous, change.id, step.pin.epoch)
    pin = pins[change.model, change.label]
    assert pin is not None  # a change that moves nothing found what it asks for
    return Moved(change.model, change.label, pin.id, pin.id, pin.epoch)


def refusal(code: str, change: Change, current: str | None = None) -> CommandError:
    """Return the error that a rule's code stands for; `lua/pin.lua` returns the same codes."""
    name, label = change.model, change.label
    match code:
        case "UNKNOWN":
            return UnknownVersion(
                f"{change.id} is not registered", hint=f"see proxyctl versions {name}"
            )
        case "DIGEST":
            return VersionConflict(f"{change.id} is registered with another digest")
        case "CONFLICT":
            return Conflict(
                f"{name} {label} holds {current or 'no version'}, which was not expected",
                current=current,
                hint="somebody else pinned it; look at proxyctl status and decide again",
            )
        case "FROZEN":
            return Frozen(
                f"{name} is frozen: {label} may only go back to what it held before",
                hint=f"proxyctl unfreeze {name}, or --force with a reason",
            )
        case "REVOKED":
            return Revoked(
                f"{change.id} was revoked when it was rolled back",
                hint="fix it in a new version, or --force it with a reason",
            )
        case "UNPROVEN":
            return Unproven(
                f"{change.id} has no verdict about the gate in force and what {label} holds now",
                hint=f"proxyctl eval {name}, then pin it again",
            )
        case "EXHAUSTED":
            return StoreUnsafe(
                "no epoch is left: a pin or the fleet holds the highest that can be counted",
                hint="somebody wrote it by hand; correct it there",
            )
    return StoreUnsafe(
        f"the store lost a part of {change.id}", hint="register it again from its files"
    )


def not_restored(code: str, info: VersionInfo) -> VersionConflict:
    """Return the error that a code of a refused restoring stands for; see `lua/restore.lua`."""
    if code == "DIGEST":
        return VersionConflict(f"the store holds the content of {info.id} under another number")
    return VersionConflict(
        f"the store holds another version as v{info.number} of {info.model}",
        hint="both cannot keep the number: register the content again, it gets the next one",
    )


def short_hex(digest: str, taken: AbstractSet[str]) -> str:
    """Return the hex digits for a new id: six, or as many more as no other version has."""
    digits = digest.removeprefix("sha256:")
    length = SHORTEST_HEX
    while digits[:length] in taken and length < len(digits):
        length += 1
    return digits[:length]

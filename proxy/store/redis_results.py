"""What the scripts and commands answer, as values."""

from __future__ import annotations

from typing import Any

from proxy.errors import StoreUnsafe, VersionConflict
from proxy.store import records, rules
from proxy.store.base import Change, Order, Swapped
from proxy.store.records import EventResult, Kept, RegisterResult, SwapResult
from proxy.versions.record import Event, Pin, Registered, Version


def text(value: Any) -> str:
    return bytes(value).decode(errors="replace")


def pairs(value: Any) -> list[tuple[Any, Any]]:
    """Read names and values, whichever way the protocol's version delivers them."""
    if isinstance(value, dict):
        return list(value.items())
    return list(zip(value[::2], value[1::2], strict=True))


def fields(value: Any) -> dict[str, str]:
    return {text(name): text(field) for name, field in pairs(value)}


def registered(model: str, answer: list[Any]) -> Registered:
    match answer[0]:
        case "CREATED" | "REPLAY":
            return records.decode(answer[1], RegisterResult).registered(model)
        case "EXISTS":
            kept = records.decode(answer[2], Kept)
            return Registered(kept.info(model, int(answer[1])), created=False)
        case "OTHER_BYTES":
            raise VersionConflict("the store holds other bytes under this version's digest")
    raise StoreUnsafe("the store lost a part of this version", hint="see proxyctl check")


def restored(version: Version, answer: list[Any]) -> Registered:
    if answer[0] in ("CREATED", "REPLAY", "EXISTS"):
        return registered(version.info.model, answer)
    raise rules.not_restored(answer[0], version.info)


def swapped(order: Order, answer: list[Any]) -> Swapped:
    if answer[0] in ("SWAPPED", "REPLAY"):
        result = records.decode(answer[1], SwapResult)
        return result.swapped(replayed=answer[0] == "REPLAY")
    raise _refused(order.changes[int(answer[1]) - 1], answer)


def recorded(pin: Pin, answer: list[Any]) -> Event:
    match answer[0]:
        case "DONE" | "REPLAY":
            return event(pin.model, answer)
        case "FOUND":
            return records.own_event(pin.model, fields(answer[1]))
    raise _refused(Change(pin.model, pin.label, pin.id, pin.digest), answer)


def event(model: str, answer: list[Any]) -> Event:
    return records.own_event(model, records.decode(answer[1], EventResult).event)


def _refused(change: Change, answer: list[Any]) -> Exception:
    current = text(answer[2]) if len(answer) > 2 else ""
    return rules.refusal(answer[0], change, current or None)

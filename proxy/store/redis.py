"""The store in Redis or Valkey: for a fleet. What a pin, a registration or a freeze does, one Lua
script does as a whole; `redis_keys` says what is kept where."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection, Iterable
from dataclasses import asdict
from importlib import resources
from typing import Any

from proxy.errors import StoreUnavailable, StoreUnsafe, VersionConflict
from proxy.store import records, rules
from proxy.store.base import LEASE_S, Change, NewVersion, Order, Swapped
from proxy.store.pin_text import MAX_EPOCH, assemble
from proxy.store.records import OPERATION_TTL_S, FreezeResult, Kept, RegisterResult, SwapResult
from proxy.store.redis_keys import Keys, listed
from proxy.store.redis_link import DEADLINE_S, Command, Link, Source, foreign, parse_info
from proxy.store.redis_watch import watch
from proxy.versions.names import split_id
from proxy.versions.record import (
    Event,
    Guards,
    Member,
    PinKey,
    Pins,
    Registered,
    Version,
    VersionInfo,
)

# A read is repeated only when a label was pinned for the first time during it.
_READS = 10
# Names of lapsed leases are kept, so that people can see who is missing, until they pile up.
_LAPSED_KEPT = 64


class RedisStore:
    """See `base.Store`."""

    def __init__(
        self,
        source: Source,
        *,
        namespace: str = "proxy",
        deadline_s: float = DEADLINE_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._keys = Keys(namespace)
        self._source = source
        self._link = Link(source, deadline_s=deadline_s)
        self._lease_ms = int(lease_s * 1000)
        lua = {name: _script(name) for name in ("prelude", "register", "pin", "freeze", "forget")}
        self._lua = {name: lua["prelude"] + text for name, text in lua.items()}

    def __repr__(self) -> str:
        return f"RedisStore({self._source.where!r})"

    async def register(self, new: NewVersion, operation: str) -> Registered:
        rules.check_new(new, operation)
        scope = records.register_scope(new)
        kinds = ("seq", "versions", "meta", "digests", "short", "history")
        keys = [
            self._keys.operation(operation),
            *(self._keys.of_model(kind, new.model) for kind in kinds),
            self._keys.models,
            self._keys.epoch,
        ]
        meta = json.dumps(records.meta_fields(new.meta))
        arguments = (scope, operation, new.model, new.digest, new.content, meta, OPERATION_TTL_S)
        answer = await self._change("register", operation, keys, arguments)
        return _registered(new.model, answer)

    async def models(self) -> list[str]:
        (names,) = await self._link.ask(("SMEMBERS", self._keys.models))
        return sorted(map(_text, names))

    async def versions(self, model: str) -> list[VersionInfo]:
        (found,) = await self._link.ask(("HGETALL", self._keys.of_model("meta", model)))
        kept = {int(_text(number)): meta for number, meta in _pairs(found)}
        return [
            records.decode(meta, Kept).info(model, number) for number, meta in sorted(kept.items())
        ]

    async def version(self, model: str, number: int) -> Version | None:
        meta, content = await self._link.ask(
            ("HGET", self._keys.of_model("meta", model), number),
            ("HGET", self._keys.of_model("versions", model), number),
        )
        if meta is None or content is None:
            return None
        return Version(records.decode(meta, Kept).info(model, number), content)

    async def pins(self) -> Pins:
        (names,) = await self._link.ask(("SMEMBERS", self._keys.pinned))
        for _ in range(_READS):
            asked = sorted(listed(names))
            (epoch, *found), names = await self._link.ask(
                ("MGET", self._keys.epoch, *map(self._keys.pin, asked)),
                ("SMEMBERS", self._keys.pinned),
            )
            if listed(names).issubset(
                asked
            ):  # else a label was new when its text was not asked for
                return assemble(epoch, dict(zip(asked, found, strict=True)), asked)
        raise StoreUnavailable("the pins changed each time they were read")

    async def swap(self, order: Order) -> Swapped:
        rules.check_order(order)
        # A pin that was set by hand may be above the epoch, on a label that this order leaves be.
        known = (await self.pins()).epoch
        models = sorted({change.model for change in order.changes})
        kinds = ("versions", "meta", "held", "revoked", "frozen", "history")
        keys = [
            self._keys.operation(order.operation),
            self._keys.epoch,
            self._keys.pinned,
            *(self._keys.of_model(kind, model) for model in models for kind in kinds),
            *(self._keys.pin((change.model, change.label)) for change in order.changes),
        ]
        arguments = (_order(order, models, known), OPERATION_TTL_S, self._keys.changes)
        answer = await self._change("pin", order.operation, keys, arguments)
        return _swapped(order, answer)

    async def history(self, model: str, limit: int = 1000) -> list[Event]:
        if limit < 1:
            return []
        stream = self._keys.of_model("history", model)
        (entries,) = await self._link.ask(("XREVRANGE", stream, "+", "-", "COUNT", limit))
        fields = ({_text(k): _text(v) for k, v in _pairs(entry[1])} for entry in entries)
        found = (records.event_from(model, each) for each in fields)
        return [event for event in found if event is not None]

    async def freeze(
        self, model: str, frozen: bool, *, by: str, reason: str, operation: str
    ) -> Event:
        rules.check_freeze(model, by, reason, operation)
        scope = records.freeze_scope(model, frozen)
        event = records.freeze_fields(frozen, by=by, reason=reason, operation=operation)
        keys = [
            self._keys.operation(operation),
            self._keys.of_model("frozen", model),
            self._keys.of_model("history", model),
            self._keys.epoch,
        ]
        arguments = (scope, "1" if frozen else "0", json.dumps(event), OPERATION_TTL_S)
        answer = await self._change("freeze", operation, keys, arguments)
        return records.own_event(model, records.decode(answer[1], FreezeResult).event)

    async def guards(self, model: str) -> Guards:
        frozen, revoked = await self._link.ask(
            ("GET", self._keys.of_model("frozen", model)),
            ("HGETALL", self._keys.of_model("revoked", model)),
        )
        reasons = {_text(id): _text(reason) for id, reason in _pairs(revoked)}
        return Guards(frozen is not None, _text(frozen or b""), reasons)

    async def report(self, member: Member) -> None:
        rules.check_text(member.name)
        lease = self._keys.member(member.name)
        await self._link.ask(
            ("SET", lease, records.encode(member), "PX", self._lease_ms),
            ("SADD", self._keys.members, member.name),
        )

    async def leave(self, name: str) -> None:
        rules.check_text(name)
        await self._link.ask(("DEL", self._keys.member(name)), ("SREM", self._keys.members, name))

    async def members(self) -> list[Member]:
        (found,) = await self._link.ask(("SMEMBERS", self._keys.members))
        names = sorted(map(_text, found))
        if not names:
            return []
        leases = [self._keys.member(name) for name in names]
        texts, *left_ms = await self._link.ask(
            ("MGET", *leases), *(("PTTL", lease) for lease in leases)
        )
        await self._forget([name for name, text in zip(names, texts, strict=True) if text is None])
        live = (
            records.member_from(text, max(0, self._lease_ms - left) / 1000)
            for text, left in zip(texts, left_ms, strict=True)
            if text is not None
        )
        return [member for member in live if member is not None]

    def watch(self, held: Collection[PinKey]) -> AsyncGenerator[Pins, None]:
        return watch(self._source.make, self._keys, held)

    async def ping(self) -> str:
        return f"{await self._server()} at {self._source.where}"

    async def close(self) -> None:
        await self._link.close()

    async def _server(self) -> str:
        try:
            (text,) = await self._link.ask(("INFO", "server"))
        except (StoreUnavailable, StoreUnsafe):  # perhaps it may not be asked for more
            await self._link.ask(("PING",))
            return "redis"
        found = parse_info(text)
        if "valkey_version" in found:
            return f"valkey {found['valkey_version']}"
        return f"redis {found.get('redis_version', '')}".rstrip()

    async def _forget(self, lapsed: list[str]) -> None:
        if len(lapsed) > _LAPSED_KEPT:
            keys = [self._keys.members, *map(self._keys.member, lapsed)]
            await self._link.ask(self._eval("forget", keys, lapsed))

    async def _change(
        self, script: str, operation: str, keys: list[str], arguments: Iterable[str | bytes | int]
    ) -> list[Any]:
        """Run a script that writes. Returns its answer if that is no refusal that all share."""
        answer = await self._link.change(operation, self._eval(script, keys, arguments))
        code = _text(answer[0])
        if code == "FOREIGN":
            raise foreign()
        if code == "OTHER_SCOPE":
            raise records.other_scope()
        return [code, *answer[1:]]

    def _eval(
        self, script: str, keys: list[str], arguments: Iterable[str | bytes | int]
    ) -> Command:
        """EVAL, not EVALSHA: a restarted server has forgotten every script that it knew."""
        return ("EVAL", self._lua[script], len(keys), *keys, *arguments)


def _script(name: str) -> str:
    return resources.files(__package__).joinpath("lua", f"{name}.lua").read_text("utf-8")


def _registered(model: str, answer: list[Any]) -> Registered:
    match answer[0]:
        case "CREATED" | "REPLAY":
            return records.decode(answer[1], RegisterResult).registered(model)
        case "EXISTS":
            kept = records.decode(answer[2], Kept)
            return Registered(kept.info(model, int(answer[1])), created=False)
        case "OTHER_BYTES":
            raise VersionConflict("the store holds other bytes under this version's digest")
    raise StoreUnsafe("the store lost a part of this version", hint="see proxyctl check")


def _order(order: Order, models: list[str], known: int) -> str:
    """Write an order the way `pin.lua` reads it: without nulls and large numbers."""
    return json.dumps(
        {
            "scope": records.swap_scope(order),
            "operation": order.operation,
            "by": order.by,
            "reason": order.reason,
            "known": str(known),
            "floor": str(max(0, min(order.floor, MAX_EPOCH))),
            "models": len(models),
            "changes": [_change(change, models) for change in order.changes],
        }
    )


def _change(change: Change, models: list[str]) -> dict[str, Any]:
    fields = asdict(change)
    expect, parts = fields.pop("expect"), split_id(change.id)
    if expect is not None:
        fields["expect"] = expect["id"] or ""
    number = parts[1].number if parts else 0
    return {**fields, "of": models.index(change.model) + 1, "number": str(number)}


def _swapped(order: Order, answer: list[Any]) -> Swapped:
    if answer[0] in ("SWAPPED", "REPLAY"):
        result = records.decode(answer[1], SwapResult)
        return result.swapped(replayed=answer[0] == "REPLAY")
    change = order.changes[int(answer[1]) - 1]
    current = _text(answer[2]) if len(answer) > 2 else ""
    raise rules.refusal(answer[0], change, current or None)


def _text(value: Any) -> str:
    return bytes(value).decode(errors="replace")


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    """Read names and values, whichever way the protocol's version delivers them."""
    if isinstance(value, dict):
        return list(value.items())
    return list(zip(value[::2], value[1::2], strict=True))

"""The store in Redis or Valkey: for a fleet. What a pin, a registration or a freeze does, one Lua
script does as a whole; `redis_keys` says what is kept where, `redis_fleet` is about the proxies,
`redis_guards` about what a pin has to pass."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store import records, rules
from proxy.store import redis_results as results
from proxy.store.base import (
    FORMER_S,
    LEASE_S,
    MISSED_S,
    MOST_FORMER,
    QUESTION_S,
    Attached,
    NewVersion,
    Order,
    Swapped,
    Weakness,
)
from proxy.store.pin_text import assemble
from proxy.store.records import OPERATION_TTL_S, RECORDED_AMONG, Kept
from proxy.store.redis_fit import parse_info, unasked, weaknesses
from proxy.store.redis_fleet import RedisFleet
from proxy.store.redis_guards import RedisGuards
from proxy.store.redis_keys import Keys, listed
from proxy.store.redis_link import DEADLINE_S, Link, Source
from proxy.store.redis_scripts import Scripts, number_in, order_text
from proxy.store.redis_watch import watch
from proxy.versions.evidence import Drill, Gate, Result, Verdict
from proxy.versions.record import (
    PIN_KINDS,
    Event,
    Guards,
    Member,
    Pin,
    PinKey,
    Pins,
    Question,
    Registered,
    Version,
    VersionInfo,
)

# A read is repeated only when a label was pinned for the first time during it.
_READS = 10

# Kinds of keys, in the order in which the scripts take them.
_REGISTERED = ("seq", "versions", "meta", "digests", "short", "history")
_PINNED = (
    *("versions", "meta", "held", "revoked", "frozen", "history"),
    *("gate", "verdicts", "unratified"),
)
_RECORDED = ("versions", "meta", "held", "history", "gate", "unratified")


class RedisStore:
    """See `base.Store`."""

    def __init__(
        self,
        source: Source,
        *,
        namespace: str = "proxy",
        deadline_s: float = DEADLINE_S,
        lease_s: float = LEASE_S,
        missed_s: float = MISSED_S,
        question_s: float = QUESTION_S,
    ) -> None:
        self._keys = Keys(namespace)
        self._source = source
        self._link = Link(source, deadline_s=deadline_s)
        self._scripts = Scripts(self._link)
        self._guards = RedisGuards(self._link, self._keys, self._scripts)
        self._fleet = RedisFleet(
            self._link,
            self._keys,
            self._scripts,
            lease_s=lease_s,
            missed_s=missed_s,
            question_s=question_s,
        )

    def __repr__(self) -> str:
        return f"RedisStore({self.where!r})"

    @property
    def where(self) -> str:
        return self._source.where

    async def register(self, new: NewVersion, operation: str) -> Registered:
        rules.check_new(new, operation)
        scope = records.register_scope(new)
        keys = self._version_keys(new.model, operation)
        meta = json.dumps(records.meta_fields(new.meta))
        arguments = (scope, operation, new.model, new.digest, new.content, meta, OPERATION_TTL_S)
        answer = await self._scripts.change("register", operation, keys, arguments)
        return results.registered(new.model, answer)

    async def models(self) -> list[str]:
        (names,) = await self._link.ask(("SMEMBERS", self._keys.models))
        return sorted(map(results.text, names))

    async def versions(self, model: str) -> list[VersionInfo]:
        (found,) = await self._link.ask(("HGETALL", self._keys.of_model("meta", model)))
        kept = {int(results.text(number)): meta for number, meta in results.pairs(found)}
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
        keys = [
            self._keys.operation(order.operation),
            self._keys.epoch,
            self._keys.pinned,
            *(self._keys.of_model(kind, model) for model in models for kind in _PINNED),
            *(self._keys.pin((change.model, change.label)) for change in order.changes),
            self._keys.former,
        ]
        remembered = (MOST_FORMER, FORMER_S)
        asked = (order_text(order, models, known), OPERATION_TTL_S)
        arguments = (*asked, self._keys.changes, *remembered)
        answer = await self._scripts.change("pin", order.operation, keys, arguments)
        return results.swapped(order, answer)

    async def restore(self, version: Version, *, by: str, operation: str) -> Registered:
        rules.check_restored(version, by, operation)
        info, kept = version.info, records.kept_from(version)
        event = records.restore_fields(info, by=by, operation=operation)
        keys = self._version_keys(info.model, operation)
        scope, names = records.restore_scope(info), (info.model, info.number, info.digest)
        meta, event_text = records.encode(kept), records.encode(event)
        arguments = (scope, *names, version.content, meta, event_text, OPERATION_TTL_S)
        answer = await self._scripts.change("restore", operation, keys, arguments)
        return results.restored(version, answer)

    async def record(self, pin: Pin, *, by: str, operation: str) -> Event:
        rules.check_recorded(pin, by, operation)
        keys = [
            self._keys.operation(operation),
            self._keys.epoch,
            self._keys.pinned,
            self._keys.pin((pin.model, pin.label)),
            *(self._keys.of_model(kind, pin.model) for kind in _RECORDED),
        ]
        scope, event = records.record_scope(pin), records.encode(records.record_fields(pin, by=by))
        among = (records.encode(sorted(PIN_KINDS)), RECORDED_AMONG)
        asked = (scope, pin.model, number_in(pin.id), event, *among)
        arguments = (*asked, OPERATION_TTL_S, self._keys.changes)
        answer = await self._scripts.change("record", operation, keys, arguments)
        return results.recorded(pin, answer)

    async def history(self, model: str, limit: int = 1000) -> list[Event]:
        if limit < 1:
            return []
        stream = self._keys.of_model("history", model)
        (entries,) = await self._link.ask(("XREVRANGE", stream, "+", "-", "COUNT", limit))
        found = (records.event_from(model, results.fields(entry[1])) for entry in entries)
        return [event for event in found if event is not None]

    async def freeze(
        self, model: str, frozen: bool, *, by: str, reason: str, operation: str
    ) -> Event:
        return await self._guards.freeze(model, frozen, by=by, reason=reason, operation=operation)

    async def guards(self, model: str) -> Guards:
        return await self._guards.guards(model)

    async def attach(self, result: Result, operation: str) -> Attached:
        return await self._guards.attach(result, operation)

    async def results(self, model: str, digest: str) -> list[Result]:
        return await self._guards.results(model, digest)

    async def set_gate(
        self, model: str, gate: Gate | None, *, by: str, reason: str, operation: str
    ) -> Event:
        return await self._guards.set_gate(model, gate, by=by, reason=reason, operation=operation)

    async def approve(self, verdict: Verdict) -> None:
        await self._guards.approve(verdict)

    async def ratify(
        self, model: str, label: str, version: str, *, by: str, reason: str, operation: str
    ) -> Event:
        about = {"by": by, "reason": reason, "operation": operation}
        return await self._guards.ratify(model, label, version, **about)

    async def note_drill(self, drill: Drill, report: str, *, reason: str, operation: str) -> Event:
        return await self._guards.note_drill(drill, report, reason=reason, operation=operation)

    async def drills(self) -> list[Drill]:
        return await self._guards.drills()

    async def report(self, member: Member) -> None:
        await self._fleet.report(member)

    async def leave(self, key: str) -> None:
        await self._fleet.leave(key)

    async def members(self) -> list[Member]:
        return await self._fleet.members()

    async def ask(self, question: Question) -> None:
        await self._fleet.ask(question)

    async def answer(self, question: str, member: str, body: bytes) -> None:
        await self._fleet.answer(question, member, body)

    async def answers(self, question: str) -> dict[str, bytes]:
        return await self._fleet.answers(question)

    def watch(self, held: Collection[PinKey]) -> AsyncGenerator[Pins, None]:
        return watch(self._source.make, self._keys, held)

    async def ping(self) -> str:
        return f"{await self._server()} at {self.where}"

    async def weaknesses(self) -> list[Weakness]:
        try:
            (text,) = await self._link.ask(("INFO",))
        except (StoreUnavailable, StoreUnsafe):  # perhaps it may only not be asked this
            await self._link.ask(("PING",))
            return [unasked()]
        return weaknesses(parse_info(text))

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

    def _version_keys(self, model: str, operation: str) -> list[str]:
        """Return the keys of what a version is made of, in the order of the scripts."""
        return [
            self._keys.operation(operation),
            *(self._keys.of_model(kind, model) for kind in _REGISTERED),
            self._keys.models,
            self._keys.epoch,
        ]

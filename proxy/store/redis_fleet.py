"""Proxies, and what they are asked, in Redis.

Strategy: while a pin is confirmed, a command looks at all members every few milliseconds. So what
was there at the last look is asked for in one round trip, a lease that did not change is not parsed
again, and its age, which takes a command for each, is asked for only now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from proxy.errors import ProxyError
from proxy.store import question_text, records, rules
from proxy.store.base import MOST_QUESTIONS
from proxy.store.question_text import MAX_TEXT_BYTES
from proxy.store.redis_keys import Keys
from proxy.store.redis_link import Link
from proxy.store.redis_results import pairs, text
from proxy.store.redis_scripts import Scripts
from proxy.store.redis_wire import Command
from proxy.versions.record import Member, Question

# The list of names loses none by itself: a proxy puts its own on it once a second, for a store that
# came back empty, and not with each report.
_LISTED_FOR_S = 0.9

# For this share of a lease, what was found of its age holds: a quarter of a second.
_AGE_HOLDS = 0.05

# Names of leases that are gone cost little, until they pile up: each proxy that is replaced may
# bring a new one. A script cannot take all at once that may have come together in a year.
_GONE_KEPT = 64
_GONE_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class _Lease:
    """A lease as it was read last. Its age was asked for at `asked_s` of the event loop's clock.
    `member` is None if the text cannot be read."""

    text: bytes
    member: Member | None
    age_s: float
    asked_s: float


_Leases = Mapping[str, _Lease | None]
"""By the key of the member; None for one that has a name in the list, but no lease."""


class RedisFleet:
    """The part of `base.Store` that is about proxies and what they are asked.

    A lease stays until the proxy is not missed any more; what is left of that tells its age.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        scripts: Scripts,
        *,
        lease_s: float,
        missed_s: float,
        question_s: float,
    ) -> None:
        self._link = link
        self._keys = keys
        self._scripts = scripts
        self._lease_s = lease_s
        self._missed_ms = int(missed_s * 1000)
        self._question_ms = int(question_s * 1000)
        self._seen: _Leases = {}
        self._listed = ("", 0.0)

    async def report(self, member: Member) -> None:
        key, (listed, until_s) = member.key, self._listed
        if key != listed:
            rules.check_text(key)
        lease = ("SET", self._keys.member(key), records.packed(member), "PX", self._missed_ms)
        now_s = asyncio.get_running_loop().time()
        if key == listed and now_s < until_s:
            await self._link.ask(lease)
            return
        await self._link.ask(lease, ("SADD", self._keys.members, key))
        self._listed = (key, now_s + _LISTED_FOR_S)

    async def leave(self, key: str) -> None:
        rules.check_text(key)
        self._listed = ("", 0.0)
        await self._link.ask(("DEL", self._keys.member(key)), ("SREM", self._keys.members, key))

    async def members(self) -> list[Member]:
        """See `base.Store`. A name that is new to us takes a second round trip; one that is new
        then came after the first."""
        now_s = asyncio.get_running_loop().time()
        listed, leases = await self._look(self._seen, now_s)
        if listed - leases.keys():
            leases = {key: leases.get(key) for key in listed}
            listed, leases = await self._look(leases, now_s)
        self._seen = leases = {key: leases.get(key) for key in listed}
        await self._forget([key for key, lease in leases.items() if lease is None])
        found = (lease.member for lease in leases.values() if lease is not None)
        return records.in_order(member for member in found if member is not None)

    async def _look(self, seen: _Leases, now_s: float) -> tuple[frozenset[str], _Leases]:
        """Return the keys of all members, and the leases of those in `seen`."""
        keys = list(seen)
        due = [key for key, lease in seen.items() if self._is_due(lease, now_s)]
        commands: list[Command] = [("SMEMBERS", self._keys.members)]
        if keys:
            commands.append(("MGET", *map(self._keys.member, keys)))
        commands += [("PTTL", self._keys.member(key)) for key in due]
        names, *rest = await self._link.ask(*commands)
        texts, left_ms = (rest[0], rest[1:]) if keys else ([], [])
        left = dict(zip(due, left_ms, strict=True))
        leases = {
            key: self._read(lease, seen[key], left.get(key), now_s)
            for key, lease in zip(keys, texts, strict=True)
        }
        return frozenset(map(text, names)), leases

    def _is_due(self, lease: _Lease | None, now_s: float) -> bool:
        return lease is None or now_s - lease.asked_s > _AGE_HOLDS * self._lease_s

    def _read(
        self, lease: bytes | None, before: _Lease | None, left_ms: int | None, now_s: float
    ) -> _Lease | None:
        """Make a lease of its text, and of how long it lasts if that was asked for."""
        if lease is None:
            return None
        if left_ms is None:
            assert before is not None
            if before.text == lease:
                return before
            age_s, asked_s = before.age_s, before.asked_s
        else:
            age_s, asked_s = max(0, self._missed_ms - left_ms) / 1000, now_s
        member = records.member_from(lease, age_s, age_s < self._lease_s)
        return _Lease(lease, member, age_s, asked_s)

    async def _forget(self, gone: list[str]) -> None:
        """Take names off the list, if there are many. It is no harm if that may not be done."""
        if len(gone) > _GONE_KEPT:
            names = gone[:_GONE_AT_ONCE]
            keys = [self._keys.members, *map(self._keys.member, names)]
            with suppress(ProxyError):
                await self._scripts.run("forget", keys, names)

    async def ask(self, question: Question) -> None:
        body = question_text.encode_body(question)
        limits = (self._question_ms, MOST_QUESTIONS, MAX_TEXT_BYTES)
        arguments = (question.id, question.kind, body, *limits, self._keys.changes)
        await self._scripts.run("ask", [self._keys.questions], arguments)

    async def answer(self, question: str, member: str, body: bytes) -> None:
        rules.check_answer(question, member, body)
        answers = self._keys.answers(question)
        await self._link.ask(
            ("HSET", answers, member, body), ("PEXPIRE", answers, self._question_ms)
        )

    async def answers(self, question: str) -> dict[str, bytes]:
        rules.check_operation(question)
        found: Any
        (found,) = await self._link.ask(("HGETALL", self._keys.answers(question)))
        return {text(member): bytes(body) for member, body in pairs(found)}

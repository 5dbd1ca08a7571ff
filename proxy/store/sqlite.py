"""The store in a SQLite file: the default, for one machine. Several processes may share it.

Leases and answers live in a file of their own beside it: they are written all the time, and whoever
watches the pins looks for changes of the whole file.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store import evidence_text, question_text, records, rules
from proxy.store import sqlite_fleet as fleet
from proxy.store import sqlite_guards as guarded
from proxy.store import sqlite_repair as repair
from proxy.store import sqlite_tables as tables
from proxy.store.base import (
    LEASE_S,
    MISSED_S,
    QUESTION_S,
    Attached,
    NewVersion,
    Order,
    Swapped,
    Weakness,
)
from proxy.store.sqlite_file import DEADLINE_S, SqliteFile
from proxy.store.sqlite_schema import SCHEMA
from proxy.versions.evidence import Drill, Gate, Result, Verdict
from proxy.versions.record import (
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

# A look at `data_version` costs a few microseconds of the watcher's own thread.
POLL_S = 0.05
# The contract's second, less the time that a poll may take.
HEARTBEAT_S = 0.9
_Seen = tuple[sqlite3.Connection, int]


class SqliteStore:
    """See `base.Store`. `path` is created, with its directories, when it is first used."""

    def __init__(
        self,
        path: Path,
        *,
        lease_s: float = LEASE_S,
        missed_s: float = MISSED_S,
        question_s: float = QUESTION_S,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._path = path
        self._lease_s = lease_s
        self._missed_s = missed_s
        self._question_s = question_s
        self._file = SqliteFile(path, SCHEMA, deadline_s=deadline_s)
        leases = path.with_name(path.name + ".leases")
        self._leases = SqliteFile(leases, fleet.LEASES, create="always", deadline_s=deadline_s)

    def __repr__(self) -> str:
        return f"SqliteStore({self.where!r})"

    @property
    def where(self) -> str:
        return str(self._path)

    async def register(self, new: NewVersion, operation: str) -> Registered:
        rules.check_new(new, operation)
        job = partial(tables.register, new=new, operation=operation)
        return await self._file.write(job, operation)

    async def models(self) -> list[str]:
        return await self._file.read(tables.models)

    async def versions(self, model: str) -> list[VersionInfo]:
        return await self._file.read(partial(tables.versions, model=model))

    async def version(self, model: str, number: int) -> Version | None:
        return await self._file.read(partial(tables.version, model=model, number=number))

    async def pins(self) -> Pins:
        return await self._file.read(tables.pins)

    async def swap(self, order: Order) -> Swapped:
        rules.check_order(order)
        job = partial(tables.swap, order=order)
        result, replayed = await self._file.write(job, order.operation)
        return result.swapped(replayed=replayed)

    async def restore(self, version: Version, *, by: str, operation: str) -> Registered:
        rules.check_restored(version, by, operation)
        job = partial(repair.restore, version=version, by=by, operation=operation)
        return await self._file.write(job, operation)

    async def record(self, pin: Pin, *, by: str, operation: str) -> Event:
        rules.check_recorded(pin, by, operation)
        job = partial(repair.record, pin=pin, by=by, operation=operation)
        return await self._file.write(job, operation)

    async def history(self, model: str, limit: int = 1000) -> list[Event]:
        return await self._file.read(partial(tables.history, model=model, limit=max(limit, 0)))

    async def freeze(
        self, model: str, frozen: bool, *, by: str, reason: str, operation: str
    ) -> Event:
        rules.check_freeze(model, by, reason, operation)
        fields = records.freeze_fields(frozen, by=by, reason=reason, operation=operation)
        job = partial(guarded.freeze, model=model, frozen=frozen, fields=fields)
        return records.own_event(model, await self._file.write(job, operation))

    async def guards(self, model: str) -> Guards:
        return await self._file.read(partial(tables.guards, model=model))

    async def attach(self, result: Result, operation: str) -> Attached:
        evidence_text.check_result(result, operation)
        job = partial(guarded.attach, result=result, operation=operation)
        return await self._file.write(job, operation)

    async def results(self, model: str, digest: str) -> list[Result]:
        return await self._file.read(partial(guarded.results, model=model, digest=digest))

    async def set_gate(
        self, model: str, gate: Gate | None, *, by: str, reason: str, operation: str
    ) -> Event:
        evidence_text.check_gate(model, gate, by, reason, operation)
        fields = evidence_text.gate_fields(gate, by=by, reason=reason, operation=operation)
        job = partial(guarded.set_gate, model=model, gate=gate, fields=fields)
        return records.own_event(model, await self._file.write(job, operation))

    async def approve(self, verdict: Verdict) -> None:
        evidence_text.check_verdict(verdict)
        await self._file.write(partial(guarded.approve, verdict=verdict))

    async def ratify(
        self, model: str, label: str, version: str, *, by: str, reason: str, operation: str
    ) -> Event:
        evidence_text.check_ratified(label, version, by, reason, operation)
        about = {"by": by, "reason": reason, "operation": operation}
        fields = evidence_text.ratify_fields(label, version, **about)
        job = partial(guarded.ratify, model=model, label=label, version=version, fields=fields)
        return records.own_event(model, await self._file.write(job, operation))

    async def note_drill(self, drill: Drill, report: str, *, reason: str, operation: str) -> Event:
        evidence_text.check_drill(drill, report, reason, operation)
        fields = evidence_text.drill_fields(drill, report, reason=reason, operation=operation)
        job = partial(guarded.note_drill, drill=drill, fields=fields)
        return records.own_event(drill.model, await self._file.write(job, operation))

    async def drills(self) -> list[Drill]:
        return await self._file.read(guarded.drills)

    async def report(self, member: Member) -> None:
        rules.check_text(member.key)
        await self._leases.write(partial(fleet.report, member=member, missed_s=self._missed_s))

    async def leave(self, key: str) -> None:
        rules.check_text(key)
        await self._leases.write(partial(fleet.leave, key=key))

    async def members(self) -> list[Member]:
        job = partial(fleet.members, lease_s=self._lease_s, missed_s=self._missed_s)
        return await self._leases.read(job)

    async def ask(self, question: Question) -> None:
        body = question_text.encode_body(question)
        job = partial(fleet.ask, question=question, body=body, question_s=self._question_s)
        await self._file.write(job)

    async def answer(self, question: str, member: str, body: bytes) -> None:
        rules.check_answer(question, member, body)
        job = partial(fleet.answer, question_s=self._question_s)
        await self._leases.write(partial(job, question=question, member=member, body=body))

    async def answers(self, question: str) -> dict[str, bytes]:
        rules.check_operation(question)
        job = partial(fleet.answers, question=question, question_s=self._question_s)
        return await self._leases.read(job)

    async def watch(self, held: Collection[PinKey]) -> AsyncGenerator[Pins, None]:
        """See `base.Store`. Reads all pins, so `held` says nothing new."""
        # A connection of its own: `data_version` counts the changes that others make.
        own = SqliteFile(self._path, SCHEMA, create="never")
        try:
            await self._file.read(tables.now_ms)  # the first use creates the file
            async with aclosing(_polled(own, self._question_s)) as polled:
                async for pins in polled:
                    yield pins
        except (StoreUnavailable, StoreUnsafe) as error:
            await self._file.let_go()
            raise StoreUnavailable(error.message, hint=error.hint) from None
        finally:
            await own.close()

    async def ping(self) -> str:
        await self._file.read(tables.now_ms)
        return f"sqlite {sqlite3.sqlite_version}, {self.where}"

    async def weaknesses(self) -> list[Weakness]:
        return []  # what is written is on the disk when it is acknowledged

    async def close(self) -> None:
        await self._file.close()
        await self._leases.close()


async def _polled(file: SqliteFile, question_s: float) -> AsyncGenerator[Pins, None]:
    clock = asyncio.get_running_loop().time
    seen: _Seen | None = None
    told_s = 0.0
    while True:
        due = clock() - told_s >= HEARTBEAT_S
        look = partial(_look, seen=None if due else seen, question_s=question_s)
        seen, pins = await file.read(look)
        if pins is not None:
            told_s = clock()
            yield pins
        await asyncio.sleep(POLL_S)


def _look(
    connection: sqlite3.Connection, seen: _Seen | None, question_s: float
) -> tuple[_Seen, Pins | None]:
    """Read the pins if the file changed since it was `seen`. A new connection counts anew."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    now = (connection, version)
    if now == seen:
        return now, None
    questions = fleet.questions(connection, question_s)
    former = tables.former(connection)
    return now, replace(tables.pins(connection), questions=questions, former=former)

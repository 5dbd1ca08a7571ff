"""The store in a SQLite file: the default, for one machine. Several processes may share it.

Leases live in a file of their own beside it: they are written all the time, and whoever watches
the pins looks for changes of the whole file.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from functools import partial
from pathlib import Path

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store import records, rules
from proxy.store import sqlite_tables as tables
from proxy.store.base import LEASE_S, NewVersion, Order, Swapped
from proxy.store.sqlite_file import DEADLINE_S, Schema, SqliteFile
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

# A look at `data_version` costs a few microseconds of the watcher's own thread.
POLL_S = 0.05
# The contract's second, less the time that a poll may take.
HEARTBEAT_S = 0.9
# Rows of proxies that are long gone; kept a while so that people can see who is missing.
_FORGOTTEN_S = 600.0

_LEASES = Schema(
    application_id=0x70726F6C,  # "prol"
    migrations=(
        (
            """CREATE TABLE leases (
                name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, member TEXT NOT NULL
            ) WITHOUT ROWID""",
        ),
    ),
    durable=False,
)

_Seen = tuple[sqlite3.Connection, int]


class SqliteStore:
    """See `base.Store`. `path` is created, with its directories, when it is first used."""

    def __init__(
        self, path: Path, *, lease_s: float = LEASE_S, deadline_s: float = DEADLINE_S
    ) -> None:
        self._path = path
        self._lease_s = lease_s
        self._file = SqliteFile(path, tables.SCHEMA, deadline_s=deadline_s)
        leases = path.with_name(path.name + ".leases")
        self._leases = SqliteFile(leases, _LEASES, create="always", deadline_s=deadline_s)

    def __repr__(self) -> str:
        return f"SqliteStore({str(self._path)!r})"

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

    async def history(self, model: str, limit: int = 1000) -> list[Event]:
        return await self._file.read(partial(tables.history, model=model, limit=max(limit, 0)))

    async def freeze(
        self, model: str, frozen: bool, *, by: str, reason: str, operation: str
    ) -> Event:
        rules.check_freeze(model, by, reason, operation)
        fields = records.freeze_fields(frozen, by=by, reason=reason, operation=operation)
        job = partial(tables.freeze, model=model, frozen=frozen, fields=fields)
        return records.own_event(model, await self._file.write(job, operation))

    async def guards(self, model: str) -> Guards:
        return await self._file.read(partial(tables.guards, model=model))

    async def report(self, member: Member) -> None:
        rules.check_text(member.name)
        await self._leases.write(partial(_report, member=member))

    async def leave(self, name: str) -> None:
        rules.check_text(name)
        await self._leases.write(partial(_leave, name=name))

    async def members(self) -> list[Member]:
        return await self._leases.read(partial(_members, lease_s=self._lease_s))

    async def watch(self, held: Collection[PinKey]) -> AsyncGenerator[Pins, None]:
        """See `base.Store`. Reads all pins, so `held` says nothing new."""
        # A connection of its own: `data_version` counts the changes that others make.
        own = SqliteFile(self._path, tables.SCHEMA, create="never")
        try:
            await self._file.read(tables.now_ms)  # the first use creates the file
            async with aclosing(_polled(own)) as polled:
                async for pins in polled:
                    yield pins
        except (StoreUnavailable, StoreUnsafe) as error:
            await self._file.let_go()
            raise StoreUnavailable(error.message, hint=error.hint) from None
        finally:
            await own.close()

    async def ping(self) -> str:
        await self._file.read(tables.now_ms)
        return f"sqlite {sqlite3.sqlite_version}, {self._path}"

    async def close(self) -> None:
        await self._file.close()
        await self._leases.close()


async def _polled(file: SqliteFile) -> AsyncGenerator[Pins, None]:
    clock = asyncio.get_running_loop().time
    seen: _Seen | None = None
    told_s = 0.0
    while True:
        due = clock() - told_s >= HEARTBEAT_S
        seen, pins = await file.read(partial(_look, seen=None if due else seen))
        if pins is not None:
            told_s = clock()
            yield pins
        await asyncio.sleep(POLL_S)


def _look(connection: sqlite3.Connection, seen: _Seen | None) -> tuple[_Seen, Pins | None]:
    """Read the pins if the file changed since it was `seen`. A new connection counts anew."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    now = (connection, version)
    return now, None if now == seen else tables.pins(connection)


def _report(connection: sqlite3.Connection, member: Member) -> None:
    at_ms = tables.now_ms(connection)
    gone_ms = at_ms - int(_FORGOTTEN_S * 1000)
    connection.execute("DELETE FROM leases WHERE at_ms < ?", (gone_ms,))
    values = (member.name, at_ms, records.encode(member))
    connection.execute("REPLACE INTO leases VALUES (?,?,?)", values)


def _leave(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM leases WHERE name = ?", (name,))


def _members(connection: sqlite3.Connection, lease_s: float) -> list[Member]:
    """A lease from the future was written before the clock was set back: it may be of any age."""
    now_ms = tables.now_ms(connection)
    rows = connection.execute("SELECT at_ms, member FROM leases ORDER BY name")
    aged = ((max(0.0, (now_ms - at_ms) / 1000), now_ms - at_ms, text) for at_ms, text in rows)
    live = (
        records.member_from(text, age_s)
        for age_s, age_ms, text in aged
        if -1000 <= age_ms < lease_s * 1000
    )
    return [member for member in live if member is not None]

"""One SQLite file and the one thread that talks to it.

Strategy: sqlite3 blocks, so no call of it runs on the event loop. A file may be removed or replaced
while we have it open; SQLite would go on writing into what nobody can see any more. So every job
first compares the file's identity with the one that was opened, and opens it anew if it changed.
Whoever replaces a file has to take its side files away too (`-wal`, `-shm`): SQLite cannot tell
that they belonged to another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from proxy.errors import OutcomeUnknown, ProxyError, StoreUnavailable, StoreUnsafe

# A call is given up after this long. A commit waits for the disk, and for other writers before.
DEADLINE_S = 5.0
# The share of it for which SQLite waits for another process's write: less than the whole, so that
# it is reported as what it is.
_BUSY = 0.8

_RETRY_S = 0.01

_T = TypeVar("_T")
_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file has to look like.

    `migrations[n]` are the statements that lead from `user_version` n to n + 1; a release adds at
    the end and changes none. `application_id` tells our files from others. `durable` files have
    every commit on disk before it is answered.
    """

    application_id: int
    migrations: tuple[tuple[str, ...], ...]
    durable: bool = True


class SqliteFile:
    """A database file, opened at the first use.

    `create` says when a missing file is made: `once` is the first time only, since an empty one
    in the place of one that went away would look like a store without pins.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        *,
        create: Literal["once", "always", "never"] = "once",
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._path = path.absolute()
        self._schema = schema
        self._create = create
        self._deadline_s = deadline_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._open: sqlite3.Connection | None = None
        self._identity: _Identity | None = None
        self._closed = False

    async def read(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `job` in a read transaction: all that it reads is of one moment."""
        return await self._run(lambda: self._read(job))

    async def write(self, job: Callable[[sqlite3.Connection], _T], operation: str = "") -> _T:
        """Run `job` in a write transaction and commit it.

        Raises `OutcomeUnknown` if the commit may have happened all the same; without an
        `operation`, `StoreUnavailable`.
        """
        return await self._run(lambda: self._write(job, operation), operation)

    async def let_go(self) -> None:
        """Close the file if it was removed or replaced. Its side files belong to the new one:
        whoever opens that must not find our locks in them."""
        await self._run(self._drop_if_moved)

    async def close(self) -> None:
        """Close the file and end the thread; doing so twice is not an error."""
        if self._closed:
            return
        self._closed = True
        # A thread that hangs in the disk closes the file when it comes back.
        with contextlib.suppress(StoreUnavailable):
            await self._run(self._drop)
        self._thread.shutdown(wait=False)

    async def _run(self, job: Callable[[], _T], operation: str = "") -> _T:
        future = self._thread.submit(_translated, job)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            begun = not future.cancelled()
        if begun and operation:
            raise lost(operation)
        raise StoreUnavailable(
            "the store file did not answer in time", hint=f"look at the disk of {self._path}"
        )

    def _read(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            return job(connection)
        finally:
            connection.rollback()

    def _write(self, job: Callable[[sqlite3.Connection], _T], operation: str) -> _T:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = job(connection)
        except BaseException:
            connection.rollback()
            raise
        self._commit(connection, operation)
        return result

    def _commit(self, connection: sqlite3.Connection, operation: str) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._drop()
            if operation and _primary(error) != sqlite3.SQLITE_FULL:
                raise lost(operation) from None
            raise

    def _connection(self) -> sqlite3.Connection:
        self._drop_if_moved()
        if self._open is None:
            first = self._create == "once" and self._identity is None
            if first or self._create == "always":
                _create(self._path)
            self._open = _open(self._path, self._schema, self._deadline_s * _BUSY)
            self._identity = _identity(self._path)
        return self._open

    def _drop_if_moved(self) -> None:
        if self._open is not None and _identity(self._path) != self._identity:
            self._drop()

    def _drop(self) -> None:
        connection, self._open = self._open, None
        if connection is not None:
            connection.close()


def lost(operation: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        "the store's answer was lost: all of the change was made, or nothing",
        operation=operation,
        hint=f"run it again with --op-id {operation}",
    )


def _identity(path: Path) -> _Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _open(path: Path, schema: Schema, busy_s: float) -> sqlite3.Connection:
    if _identity(path) is None:
        raise StoreUnavailable(
            "the store file is gone", hint=f"put {path} back, or register and pin into a new one"
        )
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=busy_s, isolation_level=None
    )
    try:
        _prepare(connection, schema, busy_s)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Make the file with its final mode before SQLite sees it: it holds prompts, and the files
    that SQLite puts beside it take its mode over."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"the store file cannot be opened: {error.strerror}", hint=f"look at {path}"
        ) from None


def _prepare(connection: sqlite3.Connection, schema: Schema, busy_s: float) -> None:
    filled = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
    version = _pragma(connection, "user_version")  # after it: ours gets both in one transaction
    ours = _pragma(connection, "application_id") == schema.application_id
    if filled and not (version and ours):
        raise StoreUnsafe("the store file is another program's database", hint="name another file")
    if version > len(schema.migrations):
        raise StoreUnavailable("a newer release wrote the store file", hint="upgrade this one")
    if _wal(connection, busy_s) != "wal":
        raise StoreUnsafe(
            "the file system cannot share the store file between processes",
            hint="put it on a local disk",
        )
    connection.execute(f"PRAGMA synchronous = {'FULL' if schema.durable else 'NORMAL'}")
    if version < len(schema.migrations):
        _migrate(connection, schema)


def _wal(connection: sqlite3.Connection, busy_s: float) -> str:
    """Switch to the write-ahead log. While another process does the same, SQLite answers that the
    file is locked without waiting."""
    give_up = time.monotonic() + busy_s
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(_RETRY_S)


def _migrate(connection: sqlite3.Connection, schema: Schema) -> None:
    connection.execute("BEGIN IMMEDIATE")
    version = _pragma(connection, "user_version")  # again: another process may have done it
    for statements in schema.migrations[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {schema.application_id}")
    connection.execute(f"PRAGMA user_version = {len(schema.migrations)}")
    connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _translated(job: Callable[[], _T]) -> _T:
    try:
        return job()
    except sqlite3.Error as error:
        raise _error(error) from None


def _primary(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 where the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _error(error: sqlite3.Error) -> ProxyError:
    match _primary(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailable("another process keeps the store file locked")
        case sqlite3.SQLITE_FULL:
            return StoreUnavailable("the disk of the store file is full")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return StoreUnavailable("the store file, or its directory, cannot be written")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return StoreUnsafe(
                "the store file is damaged, or no database",
                hint="restore it from a copy, or register and pin into a new one",
            )
    return StoreUnavailable("the store file cannot be used")

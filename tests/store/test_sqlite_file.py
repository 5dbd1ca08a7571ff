"""A store's file: who may read it, what is already there, who else writes."""

import asyncio
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store.sqlite import SqliteStore
from proxy.store.sqlite_file import Schema, SqliteFile
from proxy.versions.record import Member
from tests.contracts.places import MODEL, new, operation, registered, settled
from tests.store.story import by_hand

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


async def test_opening_creates_nothing_before_it_is_used(store, path):
    assert not path.parent.exists()


async def test_the_file_is_nobody_elses_business(store, path):
    await registered(store, "a")
    await store.report(Member("web-1", 0, {}))

    modes = {file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert modes == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_relative_path_stays_where_it_was(tmp_path, monkeypatch, opened):
    monkeypatch.chdir(tmp_path)
    store = opened(Path("store.db"))
    monkeypatch.chdir("/")

    await registered(store, "a")

    assert (tmp_path / "store.db").exists()


async def test_commits_are_on_disk_before_they_are_answered(store, path):
    """WAL with synchronous=FULL; the setting is per connection, so it is asked there."""
    file = SqliteFile(path, Schema(1, (("CREATE TABLE x (y)",),)))
    try:
        asked = [
            await file.read(lambda c, name=name: c.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("journal_mode", "synchronous")
        ]
    finally:
        await file.close()

    assert asked == ["wal", 2]


def test_a_killed_process_loses_nothing_that_was_answered(path):
    script = f"""
import asyncio, sys
from pathlib import Path
from proxy.store.sqlite import SqliteStore
from tests.contracts.places import new, operation

async def main():
    store = SqliteStore(Path({str(path)!r}))
    for n in range(1000):
        done = await store.register(new(str(n)), operation())
        print(done.info.number, flush=True)

asyncio.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        answered = [int(process.stdout.readline()) for _ in range(10)]
        process.send_signal(signal.SIGKILL)
        answered += [int(line) for line in process.stdout if line.strip()]

    kept = [number for (number,) in by_hand(path, "SELECT number FROM versions ORDER BY 1")[0]]

    assert kept[: len(answered)] == answered
    assert len(kept) - len(answered) in (0, 1)


@pytest.mark.slow
async def test_several_processes_number_without_gap(opened, path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=register_some, args=(path, n, 25)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        await asyncio.to_thread(worker.join)

    assert [worker.exitcode for worker in workers] == [0] * 4
    assert [info.number for info in await opened().versions(MODEL)] == list(range(1, 101))


def register_some(path, worker, count):
    async def run():
        store = SqliteStore(path)
        await asyncio.gather(
            *(store.register(new(f"{worker} {n}"), operation()) for n in range(count))
        )
        await store.close()

    asyncio.run(run())


async def test_a_new_file_may_be_opened_by_many_at_once(opened):
    stores = [opened() for _ in range(8)]

    done = await settled(store.register(new(f"{n}"), operation()) for n, store in enumerate(stores))

    assert sorted(each.info.number for each in done) == list(range(1, 9))


async def test_another_programs_database_is_left_alone(store, path):
    path.parent.mkdir(parents=True)
    by_hand(path, "CREATE TABLE theirs (x)", "INSERT INTO theirs VALUES (1)")
    before = path.read_bytes()

    for call in (store.models(), store.register(new("a"), operation())):
        with pytest.raises(StoreUnsafe, match="another program"):
            await call

    assert path.read_bytes() == before


async def test_another_programs_numbered_database_is_left_alone(store, path):
    path.parent.mkdir(parents=True)
    by_hand(path, "CREATE TABLE theirs (x)", "PRAGMA user_version = 1")

    with pytest.raises(StoreUnsafe, match="another program"):
        await store.models()


async def test_a_file_that_is_no_database_is_told(store, path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database at all " * 100)

    with pytest.raises(StoreUnsafe, match="damaged"):
        await store.models()


async def test_a_watch_of_a_file_that_is_no_database_ends(store, path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database at all " * 100)

    with pytest.raises(StoreUnavailable, match="damaged"):
        await anext(store.watch(()))


async def test_a_file_of_a_newer_release_is_left_alone(store, opened, path):
    await registered(opened(), "a")
    by_hand(path, "PRAGMA user_version = 99")

    with pytest.raises(StoreUnavailable, match="newer release"):
        await store.models()


async def test_a_file_in_the_place_of_the_directory_is_told(tmp_path, opened):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await opened(tmp_path / "file" / "store.db").models()


async def test_a_directory_in_the_place_of_the_file_is_told(tmp_path, opened):
    with pytest.raises(StoreUnavailable):
        await opened(tmp_path).models()


@pytest.fixture
def locked(path):
    """Return a function that takes the write lock, as a process does that hangs in a commit."""
    held = []

    def lock():
        held.append(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        held[-1].execute("BEGIN IMMEDIATE")
        return held[-1]

    yield lock
    for connection in held:
        connection.close()


async def test_a_locked_file_is_read_all_the_same(store, locked):
    (info,) = await registered(store, "a")
    locked()

    assert await store.versions(MODEL) == [info]


async def test_a_write_waits_for_the_one_before(store, locked):
    await registered(store, "a")
    other = locked()
    threading.Timer(0.2, other.rollback).start()

    assert (await store.register(new("b"), operation())).info.number == 2


async def test_a_lock_that_is_never_released_ends_in_an_error(path, locked):
    store = SqliteStore(path, deadline_s=0.5)
    await registered(store, "a")
    locked()
    lag = asyncio.ensure_future(longest_lag(0.3))

    with pytest.raises(StoreUnavailable, match="locked"):
        await store.register(new("b"), operation())

    assert await lag < 0.2
    assert len(await store.versions(MODEL)) == 1
    await store.close()


async def longest_lag(for_s):
    """Return for how long the event loop stood still."""
    longest, end = 0.0, time.monotonic() + for_s
    while (started := time.monotonic()) < end:
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - started)
    return longest

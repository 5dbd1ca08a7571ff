"""What can happen to a store's file, and what the caller is told."""

import asyncio
import multiprocessing
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from proxy.errors import OutcomeUnknown, StoreUnavailable, StoreUnsafe
from proxy.store.sqlite import SqliteStore
from proxy.store.sqlite_file import Schema, SqliteFile
from proxy.versions.record import Member
from tests.contracts.places import MODEL, change, new, operation, order, registered, settled

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "deeper" / "store.db"


@pytest.fixture
async def opened(path):
    """Return a function that opens one more store on the file."""
    stores = []

    def open_one(at=path):
        stores.append(SqliteStore(at))
        return stores[-1]

    yield open_one
    for store in stores:
        await store.close()


@pytest.fixture
def store(opened):
    return opened()


def by_hand(path, *statements):
    with closing(sqlite3.connect(path)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements]


# --- the file -------------------------------------------------------------------------------


async def test_opening_creates_nothing_before_it_is_used(store, path):
    assert not path.parent.exists()


async def test_the_file_is_nobody_elses_business(store, path):
    await registered(store, "a")
    await store.report(Member("web-1", 0, {}))

    modes = {file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert modes == {0o600}


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


# --- a file that is in the way, locked or gone ----------------------------------------------


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


async def test_a_removed_file_is_not_replaced_by_an_empty_one(store, path):
    await registered(store, "a")

    remove(path)

    for call in (store.models(), store.register(new("b"), operation()), store.pins()):
        with pytest.raises(StoreUnavailable, match="gone"):
            await call
    assert not path.exists()


async def test_a_removed_file_ends_the_watch(store, path):
    await registered(store, "a")
    async with aclosing(store.watch(())) as pins:
        await anext(pins)
        remove(path)

        with pytest.raises(StoreUnavailable, match="gone"):
            await until_lost(pins)


async def test_a_watch_of_a_removed_file_creates_none(store, path):
    await registered(store, "a")
    remove(path)

    with pytest.raises(StoreUnavailable, match="gone"):
        await anext(store.watch(()))
    assert not path.exists()


async def test_a_file_that_was_put_back_is_used_again(store, path, tmp_path):
    (info,) = await registered(store, "a")
    await store.close()
    shutil.copy(path, tmp_path / "copy.db")
    store = SqliteStore(path)
    await store.models()
    remove(path)
    with pytest.raises(StoreUnavailable):
        await store.models()

    shutil.copy(tmp_path / "copy.db", path)

    assert await store.versions(MODEL) == [info]
    await store.close()


async def test_a_replaced_file_is_read_instead(store, opened, path, tmp_path):
    other = opened(tmp_path / "other.db")
    await registered(other, "x", model="other")
    await other.close()
    await registered(store, "a")

    replace(path, tmp_path / "other.db")

    assert await store.models() == ["other"]


async def test_a_watch_sees_the_pins_of_a_replaced_file(store, opened, path, tmp_path):
    other = opened(tmp_path / "other.db")
    (info,) = await registered(other, "x")
    await other.swap(order(change(info), floor=7))
    await other.close()
    await registered(store, "a")
    async with aclosing(store.watch(())) as pins:
        await anext(pins)
        replace(path, tmp_path / "other.db")

        async with asyncio.timeout(5):
            while (await anext(pins)).epoch != 8:
                pass


async def test_who_watched_a_removed_file_does_no_harm_to_the_next(store, opened, path):
    """Its locks in the side files would make the next one trust what is stale."""
    await registered(store, *"abcdefgh")
    watched = store.watch(())
    await anext(watched)
    path.unlink()  # and leave the side files
    with pytest.raises(StoreUnavailable):
        await until_lost(watched)

    (info,) = await registered(opened(), "x", model="other")
    await store.close()

    assert await opened().versions("other") == [info]
    assert by_hand(path, "PRAGMA integrity_check") == [[("ok",)]]


def remove(path):
    for file in path.parent.glob(path.name + "*"):
        file.unlink()


def replace(path, other):
    """Put `other` in the place of the file, as it is done right: without its side files."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    other.replace(path)


async def until_lost(pins):
    async with asyncio.timeout(5):
        async for _ in pins:
            pass


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


# --- the thread -----------------------------------------------------------------------------

PLAIN = Schema(1, (("CREATE TABLE x (y)",),))


@pytest.fixture
async def file(tmp_path):
    file = SqliteFile(tmp_path / "plain.db", PLAIN, deadline_s=0.2)
    await file.read(lambda connection: None)
    yield file
    await file.close()


def held_up(connection, release):
    connection.execute("INSERT INTO x VALUES (1)")
    release.wait(5)


async def test_a_write_that_hangs_is_an_unknown_outcome(file):
    release = threading.Event()

    with pytest.raises(OutcomeUnknown) as caught:
        await file.write(lambda connection: held_up(connection, release), "op-1")

    release.set()
    assert caught.value.operation == "op-1"


async def test_a_write_that_waits_behind_a_hanging_one_changed_nothing(file):
    release = threading.Event()
    hanging = asyncio.ensure_future(file.write(lambda c: held_up(c, release), "op-1"))
    await asyncio.sleep(0.05)

    with pytest.raises(StoreUnavailable):
        await file.write(lambda c: c.execute("INSERT INTO x VALUES (2)"), "op-2")

    await settled([hanging])
    release.set()
    assert await file.read(lambda c: c.execute("SELECT y FROM x").fetchall()) == [(1,)]


async def test_a_read_that_hangs_ends_at_the_deadline(file):
    release = threading.Event()

    with pytest.raises(StoreUnavailable):
        await file.read(lambda connection: release.wait(5))

    release.set()


async def test_a_failed_write_leaves_nothing_behind(file):
    def fail(connection):
        connection.execute("INSERT INTO x VALUES (1)")
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreUnavailable):
        await file.write(fail, "op-1")

    assert await file.read(lambda c: c.execute("SELECT y FROM x").fetchall()) == []


async def test_a_commit_for_which_there_is_no_room_changed_nothing(file):
    def fill(connection):
        connection.execute("PRAGMA max_page_count = 3")
        connection.execute("INSERT INTO x VALUES (zeroblob(1000000))")

    with pytest.raises(StoreUnavailable, match="full"):
        await file.write(fill, "op-1")


async def test_no_call_runs_on_the_event_loop(file):
    own = threading.get_ident()

    assert await file.read(lambda connection: threading.get_ident()) != own


async def test_a_file_is_brought_up_to_a_newer_release(tmp_path):
    newer = Schema(1, (*PLAIN.migrations, ("ALTER TABLE x ADD COLUMN z DEFAULT 7",)))
    older = SqliteFile(tmp_path / "plain.db", PLAIN)
    await older.write(lambda c: c.execute("INSERT INTO x VALUES (1)"))
    await older.close()

    file = SqliteFile(tmp_path / "plain.db", newer)
    rows = await file.read(lambda c: c.execute("SELECT y, z FROM x").fetchall())
    await file.close()

    assert rows == [(1, 7)]
    assert by_hand(tmp_path / "plain.db", "PRAGMA user_version") == [[(2,)]]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path):
    newer = Schema(1, (*PLAIN.migrations, ("DROP TABLE x", "nonsense")))
    older = SqliteFile(tmp_path / "plain.db", PLAIN)
    await older.write(lambda c: c.execute("INSERT INTO x VALUES (1)"))
    await older.close()

    file = SqliteFile(tmp_path / "plain.db", newer)
    with pytest.raises(StoreUnavailable):
        await file.read(lambda c: None)
    await file.close()

    assert by_hand(tmp_path / "plain.db", "SELECT y FROM x") == [[(1,)]]


# --- watching and leases --------------------------------------------------------------------


async def test_a_swap_is_seen_within_a_tenth_of_a_second(store, opened):
    versions = await registered(store, "a", "b")
    took_s = []
    async with aclosing(opened().watch(())) as pins:
        await anext(pins)
        for n in range(5):
            epoch = (await store.swap(order(change(versions[n % 2])))).epoch
            started = time.monotonic()
            while (await anext(pins)).epoch != epoch:
                pass
            took_s.append(time.monotonic() - started)

    assert sorted(took_s)[2] < 0.1


async def test_a_lease_wakes_no_watcher(store, opened, path):
    """Every proxy renews every second; were that a change, all would read all pins all the time."""
    await registered(store, "a")
    (before,) = by_hand(path, "SELECT * FROM sqlite_master")
    stamp = path.stat().st_mtime_ns, wal(path)

    for _ in range(5):
        await store.report(Member("web-1", 0, {}))

    assert (path.stat().st_mtime_ns, wal(path)) == stamp
    assert not [row for row in before if row[1] == "leases"]


def wal(path):
    return path.with_name(path.name + "-wal").stat().st_mtime_ns


async def test_a_removed_file_of_leases_is_made_anew(store, path):
    await store.report(Member("web-1", 0, {}))
    remove(path.with_name(path.name + ".leases"))

    await store.report(Member("web-2", 0, {}))

    assert [member.name for member in await store.members()] == ["web-2"]


async def test_a_lease_from_the_future_does_not_count(store, path):
    """The clock was set back: nobody knows how old it is."""
    await store.report(Member("web-1", 0, {}))
    by_hand(path.with_name(path.name + ".leases"), "UPDATE leases SET at_ms = at_ms + 3600000")

    assert await store.members() == []


async def test_old_results_are_forgotten(store, path):
    asked, id = new("a"), operation()
    await store.register(asked, id)
    by_hand(path, "UPDATE operations SET at_ms = at_ms - 8 * 86400000")

    await registered(store, "b")

    assert by_hand(path, f"SELECT * FROM operations WHERE operation = '{id}'") == [[]]
    assert not (await store.register(asked, id)).created


async def test_a_closed_store_leaves_one_file(store, path):
    await store.models()

    await store.close()

    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


async def test_closing_twice_is_no_error(store):
    await store.close()

    await store.close()

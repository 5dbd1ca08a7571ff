"""The thread that talks to a file: deadlines, failures, migrations."""

import asyncio
import threading

import pytest

from proxy.errors import OutcomeUnknown, StoreUnavailable
from proxy.store.sqlite_file import Schema, SqliteFile
from tests.contracts.places import settled
from tests.store.story import by_hand

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

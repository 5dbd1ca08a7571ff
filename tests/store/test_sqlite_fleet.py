"""Proxies in SQLite, and what they are asked: rows that grow old, clocks that were set back, files
of the release before."""

import pytest

from proxy.store import sqlite_fleet
from proxy.store.sqlite_file import Schema, SqliteFile
from proxy.store.sqlite_schema import SCHEMA
from proxy.versions.record import Member, Question
from tests.contracts.places import MODEL, change, order, registered
from tests.store.story import by_hand

QUESTION = Question("q-1", "prepare", {})


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


@pytest.fixture
def leases(path):
    return path.with_name(path.name + ".leases")


async def asked(store):
    watching = store.watch(())
    pins = await anext(watching)
    await watching.aclose()
    return pins.questions


def shift(file, table, by_s):
    by_hand(file, f"UPDATE {table} SET at_ms = at_ms + {int(by_s * 1000)}")


@pytest.mark.parametrize(
    ("by_s", "live"), [(-4, [True]), (-6, [False]), (-599, [False]), (-601, [])], ids=str
)
async def test_a_lease_grows_old(store, leases, by_s, live):
    await store.report(Member("web-1", 0, {}))

    shift(leases, "leases", by_s)

    assert [member.live for member in await store.members()] == live


@pytest.mark.parametrize(("by_s", "live"), [(60, [False]), (3600, [])], ids=str)
async def test_a_lease_from_the_future_is_not_live(store, leases, by_s, live):
    """The clock was set back: nobody knows how old it is."""
    await store.report(Member("web-1", 0, {}))

    shift(leases, "leases", by_s)

    members = await store.members()
    assert [member.live for member in members] == live
    assert all(member.age_s == 0 for member in members)


@pytest.mark.parametrize("by_s", [-601, 3600])
async def test_leases_that_count_no_more_are_swept_up(store, leases, by_s):
    await store.report(Member("web-1", 0, {}))
    shift(leases, "leases", by_s)

    await store.report(Member("web-2", 0, {}))

    assert by_hand(leases, "SELECT name FROM leases") == [[("web-2",)]]


async def test_a_lease_that_cannot_be_read_is_no_member(store, leases):
    await store.report(Member("web-1", 0, {}))
    await store.report(Member("web-2", 0, {}))

    by_hand(leases, "UPDATE leases SET member = 'nonsense' WHERE name = 'web-1'")

    assert [member.name for member in await store.members()] == ["web-2"]


@pytest.mark.parametrize("by_s", [-31, 31])
async def test_old_questions_are_not_asked_and_are_swept_up(store, path, by_s):
    await store.ask(QUESTION)
    shift(path, "questions", by_s)
    assert await asked(store) == ()

    await store.ask(Question("q-2", "prepare", {}))

    assert by_hand(path, "SELECT id FROM questions") == [[("q-2",)]]


async def test_a_question_that_cannot_be_read_is_not_asked(store, path):
    await store.ask(QUESTION)
    await store.ask(Question("q-2", "prepare", {}))

    by_hand(path, "UPDATE questions SET body = 'nonsense' WHERE id = 'q-1'")

    assert await asked(store) == (Question("q-2", "prepare", {}),)


@pytest.mark.parametrize("by_s", [-31, 31])
async def test_old_answers_are_not_read_and_are_swept_up(store, leases, by_s):
    await store.answer("q-1", "web-1", b"one")
    shift(leases, "answers", by_s)
    assert await store.answers("q-1") == {}

    await store.answer("q-2", "web-1", b"two")

    assert by_hand(leases, "SELECT question FROM answers") == [[("q-2",)]]


async def test_an_answer_wakes_no_watcher(store, path):
    await registered(store, "a")
    stamp = path.with_name(path.name + "-wal").stat().st_mtime_ns

    await store.answer("q-1", "web-1", b"one")

    assert path.with_name(path.name + "-wal").stat().st_mtime_ns == stamp


async def test_a_store_of_the_release_before_goes_on(path, leases, opened):
    """Its file has the tables of the first migration, and what it kept."""
    for file, schema in ((path, SCHEMA), (leases, sqlite_fleet.LEASES)):
        first = SqliteFile(file, Schema(schema.application_id, schema.migrations[:1]))
        await first.read(lambda connection: None)
        await first.close()
    by_hand(path, "REPLACE INTO epoch VALUES (1, '41')")
    by_hand(leases, "INSERT INTO leases VALUES ('web-1', 0, '{}')")
    store = opened()

    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    await store.ask(QUESTION)
    await store.answer("q-1", "web-1", b"one")

    pins = await store.pins()
    assert (pins.epoch, pins.pins.keys()) == (42, {(MODEL, "prod")})
    assert await asked(store) == (QUESTION,)
    assert await store.answers("q-1") == {"web-1": b"one"}
    assert await store.members() == []

"""Bringing a store and its fleet together again, with real followers."""

import sqlite3
from contextlib import asynccontextmanager, closing

import pytest

from proxy.control.confirm import Wait
from proxy.control.repair import repair, survey
from proxy.control.status import status
from proxy.errors import Conflict, InvalidArgument
from proxy.fleet.last_known_good import FILE
from proxy.store.sqlite import SqliteStore
from proxy.versions.record import Kind
from tests.control.shop import corrupt
from tests.fleet.following import following

WAIT = Wait(10.0)
ALL_TABLES = ("versions", "pins", "epoch", "held", "revoked", "frozen", "history", "operations")


def empty(file, *tables):
    """Remove rows past the store, as a restore from an old copy would."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in tables or ALL_TABLES:
            connection.execute(f"DELETE FROM {table}")


def set_pin(file, text):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("REPLACE INTO pins VALUES ('shop', 'prod', ?)", (text,))


@asynccontextmanager
async def proxy(tmp_path, name="web-1"):
    own = SqliteStore(tmp_path / "store.db")
    async with following(own, tmp_path / name, name=name) as running:
        await running.follower.reporter.reported()
        yield running
    await own.close()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
async def stocked(shop):
    """Two versions; v1 was pinned, then v2."""
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    return shop


async def repaired(shop, **options):
    return await repair(shop.store, await survey(shop.store, **options), shop.act("why"), WAIT)


async def test_where_all_agree_there_is_nothing_to_do(stocked, tmp_path):
    async with proxy(tmp_path):
        found = await survey(stocked.store)

    assert found.plan.is_empty
    assert found.plan.remarks == ()


async def test_a_survey_changes_nothing(stocked, tmp_path, file):
    async with proxy(tmp_path):
        empty(file)
        found = await survey(stocked.store)

        assert not found.plan.is_empty
        assert await stocked.store.models() == []
        assert await stocked.held() is None


async def test_an_emptied_store_gets_back_versions_and_pin_from_a_proxy(stocked, tmp_path, file):
    infos = await stocked.store.versions("shop")
    async with proxy(tmp_path) as running:
        before = running.follower.snapshot
        empty(file)

        report = await repaired(stocked)

        assert running.follower.snapshot.epoch > before.epoch
    assert await stocked.store.versions("shop") == infos[1:]
    assert await stocked.held() == "v2"
    assert report.pinned.confirmation.confirmed == 1


async def test_what_a_label_held_before_comes_back_too(shop, tmp_path, file):
    await shop.register("one", "two")
    await shop.pin("v1")
    async with proxy(tmp_path) as running:
        await shop.pin("v2", WAIT)
        infos = await shop.store.versions("shop")
        assert [one.id for one in running.follower.snapshot.holders] == [infos[0].id]
        empty(file)

        await repaired(shop)

    assert await shop.store.versions("shop") == infos


async def test_the_next_number_lies_above_what_came_back(stocked, tmp_path, file):
    async with proxy(tmp_path):
        empty(file)
        await repaired(stocked)

    (info,) = await stocked.register("three")
    assert info.number == 3


async def test_a_store_that_went_back_is_pinned_to_what_the_fleet_serves(stocked, tmp_path, file):
    await stocked.register("three")
    async with proxy(tmp_path) as running:
        await stocked.pin("v3", WAIT)
        v3 = running.follower.snapshot.by_text["shop"].served.id
        empty(file, "pins", "history", "epoch")
        set_pin(file, f"1|{stocked.ids['v1']}|{await _digest(stocked, 1)}|op-old")

        state = await status(stocked.store)
        assert state.behind
        await repaired(stocked)

        assert running.serving("shop") == v3
    assert await stocked.held() == "v3"
    assert not (await status(stocked.store)).behind


async def _digest(shop, number):
    return (await shop.store.version("shop", number)).info.digest


async def test_a_repair_is_in_the_history_with_who_and_why(stocked, tmp_path, file):
    async with proxy(tmp_path):
        empty(file)
        await repaired(stocked)

    kinds = [(e.kind, e.by, e.reason) for e in await stocked.store.history("shop")]
    assert kinds[0] == (Kind.REPAIR, "ada@host", "why")
    assert {kind for kind, _, _ in kinds} == {Kind.REPAIR, Kind.RESTORE}


async def test_damaged_bytes_are_put_right(stocked, tmp_path, file):
    async with proxy(tmp_path):
        corrupt(file, b"two", b"TWO")

        report = await repaired(stocked)

    assert [one.version.id for one in report.plan.restore] == [stocked.ids["v2"]]
    assert b"two" in (await stocked.store.version("shop", 2)).content


async def test_a_pin_that_was_set_by_hand_is_written_into_the_history(stocked, file):
    set_pin(file, f"40|{stocked.ids['v1']}|{await _digest(stocked, 1)}|by-hand")
    assert (await status(stocked.store)).models[0].labels[0].event is None

    report = await repaired(stocked)

    assert report.pinned is None
    event = (await status(stocked.store)).models[0].labels[0].event
    assert (event.kind, event.epoch, event.operation) == (Kind.RECORD, 40, "by-hand")
    assert (await survey(stocked.store)).plan.is_empty


async def test_a_rollback_after_a_recorded_pin_goes_to_what_was_before(stocked, file):
    set_pin(file, f"40|{stocked.ids['v1']}|{await _digest(stocked, 1)}|by-hand")
    await repaired(stocked)

    await stocked.rollback()

    assert await stocked.held() == "v2"


async def test_a_file_of_a_proxy_that_is_gone_helps(stocked, tmp_path, file):
    async with proxy(tmp_path):
        pass
    empty(file)

    report = await repaired(stocked, files=[tmp_path / "web-1" / FILE])

    assert await stocked.held() == "v2"
    assert report.plan.restore[0].copy.name == FILE


async def test_a_file_that_is_none_is_refused(stocked, tmp_path):
    (tmp_path / "x.json").write_text("{}")

    with pytest.raises(InvalidArgument):
        await survey(stocked.store, [tmp_path / "x.json"])


async def test_a_label_that_changed_after_the_survey_is_left_alone(stocked, tmp_path, file):
    async with proxy(tmp_path):
        digest = await _digest(stocked, 1)
        empty(file, "pins", "epoch")
        found = await survey(stocked.store)
        set_pin(file, f"1|{stocked.ids['v1']}|{digest}|op-new")

        with pytest.raises(Conflict):
            await repair(stocked.store, found, stocked.act(), WAIT)

    assert await stocked.held() == "v1"


async def test_a_proxy_that_does_not_answer_is_named(stocked):
    await stocked.report("mute", 2, prod="v2")

    found = await survey(stocked.store)

    assert found.plan.remarks == ("mute did not say what it holds",)


async def test_repairing_twice_under_one_operation_changes_nothing_more(stocked, tmp_path, file):
    async with proxy(tmp_path):
        empty(file)
        found = await survey(stocked.store)
        act = stocked.act("why", "repair-1")
        first = await repair(stocked.store, found, act, WAIT)

        second = await repair(stocked.store, found, act, WAIT)

    assert second.pinned.swapped.replayed
    assert second.pinned.swapped.epoch == first.pinned.swapped.epoch

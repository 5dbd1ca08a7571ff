import sqlite3
from contextlib import closing

import pytest

from proxy.errors import (
    Conflict,
    InvalidArgument,
    NoRollbackTarget,
    NothingToUndo,
    Revoked,
    UnknownModelNamed,
    VersionCorrupt,
)
from proxy.versions.record import Kind
from tests.control.shop import corrupt


async def test_a_rollback_puts_back_what_was_there_and_revokes_what_is_left(shop):
    first, second = await shop.register("one", "two")
    await shop.pins("v1", "v2")

    report = await shop.rollback()

    assert (report.json()["from"], report.json()["to"]) == (second.id, first.id)
    assert await shop.held() == "v1"
    assert await shop.revoked() == {"v2"}


async def test_rollbacks_in_a_row_go_further_back_and_never_forward(shop):
    await shop.register("one", "two", "three")
    await shop.pins("v1", "v2", "v3")

    await shop.rollback()
    assert await shop.held() == "v2"
    await shop.rollback()
    assert await shop.held() == "v1"

    with pytest.raises(NoRollbackTarget):
        await shop.rollback()


async def test_a_rollback_is_recorded_as_one(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")

    await shop.rollback()

    event = (await shop.store.history("shop"))[0]
    assert (event.kind, event.revoked) == (Kind.ROLLBACK, shop.ids["v2"])


async def test_a_rollback_can_go_to_a_named_holder(shop):
    await shop.register("one", "two", "three")
    await shop.pins("v1", "v2", "v3")

    await shop.rollback(to="v1")

    assert await shop.held() == "v1"
    assert await shop.revoked() == {"v3"}


@pytest.mark.parametrize("to", ["v3", "v2"])
async def test_a_rollback_goes_to_earlier_holders_only(shop, to):
    await shop.register("one", "two", "three")
    await shop.pins("v1", "v2")

    with pytest.raises(NoRollbackTarget):
        await shop.rollback(to=to)


async def test_a_rollback_does_not_go_to_a_revoked_version(shop):
    await shop.register("one", "two", "three")
    await shop.pins("v1", "v2")
    await shop.rollback()
    await shop.pin("v3")

    with pytest.raises(Revoked):
        await shop.rollback(to="v2")


async def test_a_frozen_model_can_be_rolled_back(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    await shop.store.freeze("shop", True, by="ada", reason="", operation="f")

    await shop.rollback()

    assert await shop.held() == "v1"


async def test_a_label_that_was_never_pinned_has_no_target(shop):
    await shop.register("one")

    with pytest.raises(NoRollbackTarget):
        await shop.rollback()


async def test_an_unknown_model_is_named(shop):
    with pytest.raises(UnknownModelNamed):
        await shop.rollback()


async def test_a_corrupt_target_is_not_taken(shop, tmp_path):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    corrupt(tmp_path / "store.db", b"one", b"eno")

    with pytest.raises(VersionCorrupt):
        await shop.rollback()

    assert await shop.held() == "v2"


async def test_a_pin_that_cannot_be_read_does_not_stop_a_rollback(shop, tmp_path):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    with closing(sqlite3.connect(tmp_path / "store.db")) as file, file:
        file.execute("UPDATE pins SET text = 'nonsense'")

    await shop.rollback()

    assert await shop.held() == "v2"


async def test_a_rollback_sent_again_is_done_once_even_if_there_is_no_further_target(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    first = await shop.rollback(operation="once")

    again = await shop.rollback(operation="once")

    assert await shop.held() == "v1"
    assert again.json() == {**first.json(), "replayed": True}


async def test_an_operation_id_of_another_label_is_not_taken_for_this_one(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    await shop.pin("v1", label="staging", operation="used")

    with pytest.raises(InvalidArgument):
        await shop.rollback(operation="used")

    assert await shop.held() == "v2"


async def test_undo_reverses_a_pin_and_revokes_nothing(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")

    await shop.undo()

    assert await shop.held() == "v1"
    assert await shop.revoked() == set()


async def test_undo_of_a_rollback_lifts_its_revocation(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    await shop.rollback()

    await shop.undo()

    assert await shop.held() == "v2"
    assert await shop.revoked() == set()


async def test_undo_of_an_undone_rollback_is_the_rollback_again(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    await shop.rollback()
    await shop.undo()

    await shop.undo()

    assert await shop.held() == "v1"
    assert await shop.revoked() == {"v2"}


async def test_undo_of_a_forced_pin_revokes_again(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    await shop.rollback()
    await shop.pin("v2", force=True, reason="a try")

    await shop.undo()

    assert await shop.held() == "v1"
    assert await shop.revoked() == {"v2"}


async def test_the_first_pin_cannot_be_undone(shop):
    await shop.register("one")
    await shop.pin("v1")

    with pytest.raises(NothingToUndo):
        await shop.undo()


async def test_undo_sent_again_is_done_once(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    await shop.undo(operation="once")

    again = await shop.undo(operation="once")

    assert await shop.held() == "v1"
    assert again.json()["replayed"] is True


async def test_undo_does_not_touch_what_somebody_set_by_hand(shop, tmp_path):
    await shop.register("one", "two", "three")
    await shop.pins("v1", "v2")
    info = (await shop.store.versions("shop"))[2]
    with closing(sqlite3.connect(tmp_path / "store.db")) as file, file:
        file.execute("UPDATE pins SET text = ?", (f"9|{info.id}|{info.digest}|by-hand",))

    with pytest.raises(Conflict) as caught:
        await shop.undo()

    assert caught.value.current == info.id

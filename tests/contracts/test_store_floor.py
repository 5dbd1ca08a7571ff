"""What every store promises where the fleet is ahead of it, since the store lost writes."""

import pytest

from proxy.errors import Frozen, Revoked, StoreUnsafe
from proxy.store.base import Expect, Moved, Swapped
from proxy.store.pin_text import MAX_EPOCH
from proxy.versions.record import Kind, Pin
from tests.contracts.places import (
    MODEL,
    PROD,
    change,
    freeze,
    held,
    operation,
    order,
    pin,
    registered,
)


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


async def rolled_back(store, versions):
    """Put v1, then v2, then v1 again, revoking v2."""
    for info in versions[:2]:
        await pin(store, info)
    await pin(store, versions[0], kind=Kind.ROLLBACK, revoke=True)


async def test_the_new_epoch_lies_above_what_the_fleet_reported(store, versions):
    swapped = await store.swap(order(change(versions[0]), floor=41))

    assert swapped.epoch == 42
    assert (await pin(store, versions[1])).epoch == 43


async def test_epochs_that_cannot_be_counted_are_refused(store, versions):
    with pytest.raises(StoreUnsafe):
        await store.swap(order(change(versions[0]), floor=MAX_EPOCH))

    assert (await store.pins()).pins == {}


@pytest.mark.parametrize("floor", [0, 1])
async def test_what_is_held_is_not_written_again_where_the_fleet_is_not_ahead(
    store, versions, floor
):
    await pin(store, versions[0])
    before = await store.pins(), await store.history(MODEL)

    swapped = await store.swap(order(change(versions[0]), floor=floor))

    v1 = versions[0].id
    assert swapped == Swapped(1, (Moved(MODEL, "prod", v1, v1, 1),))
    assert (await store.pins(), await store.history(MODEL)) == before


async def test_what_is_held_is_written_again_above_the_fleet(store, versions):
    v1, id = versions[0], operation()
    await pin(store, v1)

    swapped = await store.swap(order(change(v1), floor=2, operation=id))

    assert swapped == Swapped(3, (Moved(MODEL, "prod", v1.id, v1.id, 3),))
    pins = await store.pins()
    assert pins.epoch == 3
    assert pins.pins[PROD] == Pin(MODEL, "prod", 3, v1.id, v1.digest, id)


async def test_a_pin_that_is_written_again_is_an_event(store, versions):
    v1 = versions[0]
    await pin(store, v1)

    await store.swap(order(change(v1, kind=Kind.REPAIR), floor=6, reason="was lost"))

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.label, event.epoch) == (Kind.REPAIR, "prod", 7)
    assert (event.version, event.previous, event.reason) == (v1.id, v1.id, "was lost")
    assert (event.revoked, event.restored) == (None, None)


async def test_a_label_is_not_revoked_for_being_written_again(store, versions):
    await pin(store, versions[0])

    await store.swap(order(change(versions[0], revoke=True), floor=6))

    assert (await store.guards(MODEL)).revoked == {}


async def test_once_it_is_above_the_fleet_what_is_held_is_left_alone(store, versions):
    await pin(store, versions[0])
    await store.swap(order(change(versions[0]), floor=6))

    swapped = await store.swap(order(change(versions[0]), floor=7))

    assert swapped.epoch == 7
    assert len(await store.history(MODEL)) == 5


async def test_a_repeated_order_writes_once(store, versions):
    await pin(store, versions[0])
    again = order(change(versions[0]), floor=6)
    first = await store.swap(again)

    repeated = await store.swap(again)

    assert repeated == Swapped(first.epoch, first.moved, replayed=True)
    assert (await store.pins()).epoch == 7


async def test_all_labels_of_an_order_come_above_the_fleet(store, versions):
    v1, v2, _ = versions
    await pin(store, v1)
    await pin(store, v1, "staging")

    swapped = await store.swap(order(change(v1), change(v2, "staging"), floor=6))

    assert [(moved.previous, moved.epoch) for moved in swapped.moved] == [(v1.id, 7), (v1.id, 7)]
    assert {each.epoch for each in (await store.pins()).pins.values()} == {7}


async def test_an_expectation_holds_for_what_is_written_again(store, versions):
    await pin(store, versions[0])

    swapped = await store.swap(order(change(versions[0], expect=Expect(versions[0].id)), floor=6))

    assert swapped.epoch == 7


async def test_no_freeze_stops_what_is_held_from_being_written_again(store, versions):
    await pin(store, versions[0])
    await freeze(store)

    swapped = await store.swap(order(change(versions[0]), floor=6))

    assert swapped.epoch == 7
    assert (await store.guards(MODEL)).frozen


async def test_no_revocation_stops_what_is_held_from_being_written_again(store, versions):
    v1, v2, _ = versions
    await pin(store, v2, "canary")
    await rolled_back(store, versions)

    await store.swap(order(change(v2, "canary"), floor=6))

    assert (await store.pins()).pins[MODEL, "canary"].epoch == 7
    assert (await store.guards(MODEL)).revoked.keys() == {v2.id}
    assert await held(store) == v1.id


async def test_a_fleet_that_is_ahead_thaws_nothing(store, versions):
    await pin(store, versions[0])
    await freeze(store)

    with pytest.raises(Frozen):
        await store.swap(order(change(versions[0]), change(versions[1], "staging"), floor=6))

    assert (await store.pins()).epoch == 1


async def test_a_fleet_that_is_ahead_lifts_no_revocation(store, versions):
    await rolled_back(store, versions)

    with pytest.raises(Revoked):
        await store.swap(order(change(versions[1]), floor=6))


@pytest.mark.parametrize("floor", [0, 6])
async def test_a_repair_is_not_stopped_by_a_freeze(store, versions, floor):
    await pin(store, versions[0])
    await freeze(store)

    await store.swap(order(change(versions[1], kind=Kind.REPAIR), floor=floor))

    assert await held(store) == versions[1].id


@pytest.mark.parametrize("floor", [0, 6])
async def test_a_repair_is_not_stopped_by_a_revocation_and_lifts_none(store, versions, floor):
    await rolled_back(store, versions)

    await store.swap(order(change(versions[1], kind=Kind.REPAIR), floor=floor))

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.restored, event.forced) == (Kind.REPAIR, None, False)
    assert await held(store) == versions[1].id
    assert (await store.guards(MODEL)).revoked.keys() == {versions[1].id}

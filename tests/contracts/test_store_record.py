"""What every store promises about pins that were set by hand and are then recorded."""

import pytest

from proxy.errors import Conflict, InvalidArgument, UnknownVersion
from proxy.store.base import Expect
from proxy.versions.backward import reversal, rollback_target
from proxy.versions.record import Kind, Pin
from tests.contracts.places import (
    DIGEST,
    MODEL,
    PROD,
    UNKNOWN,
    freeze,
    held,
    operation,
    pin,
    registered,
    settled,
)


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


def by_hand(info, epoch=9, label="prod", id="by-hand"):
    return Pin(MODEL, label, epoch, info.id, info.digest, id)


def put(place, pin):
    text = f"{pin.epoch}|{pin.id}|{pin.digest}|{pin.operation}"
    place.set_pin(pin.model, pin.label, text)
    return pin


async def record(store, pin, **options):
    return await store.record(pin, **{"by": "ada", "operation": operation(), **options})


async def everything(store):
    return await store.pins(), await store.history(MODEL), await store.guards(MODEL)


@pytest.mark.parametrize("id", ["by-hand", 'größer "by" hand'])
async def test_a_recorded_pin_is_an_event(store, versions, place, id):
    v1, v2, _ = versions
    await pin(store, v1)
    mine = put(place, by_hand(v2, id=id))

    event = await record(store, mine)

    assert (event.kind, event.model, event.label) == (Kind.RECORD, MODEL, "prod")
    assert (event.version, event.digest, event.previous) == (v2.id, v2.digest, v1.id)
    assert (event.epoch, event.operation, event.by) == (9, id, "ada")
    assert (event.reason, event.forced) == ("set by hand", False)
    assert (event.revoked, event.restored) == (None, None)
    assert (await store.history(MODEL))[0] == event


async def test_recording_leaves_the_pin_as_it_is(store, versions, place):
    await pin(store, versions[0])
    mine = put(place, by_hand(versions[1]))
    before = await store.pins()

    await record(store, mine)

    assert await store.pins() == before
    assert before.pins[PROD] == mine


async def test_a_label_that_no_swap_ever_wrote_is_known_from_then_on(store, versions, place):
    mine = put(place, by_hand(versions[0]))

    event = await record(store, mine)

    assert event.previous is None
    assert (await store.pins()).pins == {PROD: mine}


async def test_the_epoch_is_at_least_that_of_a_recorded_pin(store, versions, place):
    mine = put(place, by_hand(versions[0], epoch=41))
    await record(store, mine)

    place.set_pin(*PROD, "nonsense")

    assert (await store.pins()).epoch == 41
    assert (await pin(store, versions[1])).epoch == 42


async def test_the_epoch_does_not_go_back_to_that_of_a_recorded_pin(store, versions, place):
    await pin(store, versions[0])
    await pin(store, versions[1], "staging")
    mine = put(place, by_hand(versions[1], epoch=1))

    await record(store, mine)

    place.set_pin(MODEL, "staging", "nonsense")
    assert (await store.pins()).epoch == 2


async def test_a_recorded_version_is_one_that_the_label_held(store, versions, place):
    v1, v2, v3 = versions
    await pin(store, v1)
    await record(store, put(place, by_hand(v2)))
    await pin(store, v3)
    await freeze(store)

    await pin(store, v2)

    assert await held(store) == v2.id


async def test_a_recorded_pin_can_be_rolled_back_and_undone(store, versions, place):
    v1, v2, _ = versions
    await pin(store, v1)
    await record(store, put(place, by_hand(v2)))

    events = await store.history(MODEL)

    assert rollback_target(events, "prod", v2.id, ()) == v1.id
    assert reversal(events, "prod").id == v1.id


async def test_what_the_label_held_before_is_what_its_last_event_says(store, versions, place):
    v1, v2, v3 = versions
    await pin(store, v1)
    await record(store, put(place, by_hand(v2, epoch=5)))
    await pin(store, v1, "staging")
    await freeze(store)

    event = await record(store, put(place, by_hand(v3, epoch=9, id="later")))

    assert event.previous == v2.id


async def test_a_pin_that_was_set_again_by_hand_may_be_recorded_again(store, versions, place):
    v1 = versions[0]
    await record(store, put(place, by_hand(v1, epoch=5)))

    event = await record(store, put(place, by_hand(v1, epoch=6)))

    assert (event.epoch, event.previous) == (6, v1.id)
    assert len([one for one in await store.history(MODEL) if one.kind is Kind.RECORD]) == 2


async def test_recording_twice_gives_the_first_event(store, versions, place):
    mine = put(place, by_hand(versions[0]))
    first = await record(store, mine)
    before = await everything(store)

    again = await record(store, mine, by="bob")

    assert again == first
    assert await everything(store) == before


async def test_a_repeated_operation_gets_the_first_event(store, versions, place):
    id = operation()
    mine = put(place, by_hand(versions[0]))
    first = await record(store, mine, operation=id)
    await pin(store, versions[1])

    again = await record(store, mine, operation=id)

    assert again == first
    assert await held(store) == versions[1].id


async def test_an_operation_id_stands_for_one_recording(store, versions, place):
    id = operation()
    await record(store, put(place, by_hand(versions[0])), operation=id)
    other = put(place, by_hand(versions[1], epoch=10))
    before = await everything(store)

    with pytest.raises(InvalidArgument):
        await record(store, other, operation=id)

    assert await everything(store) == before


async def test_a_pin_that_a_swap_wrote_is_in_the_history_already(store, versions):
    await pin(store, versions[0])
    before = await everything(store)

    event = await record(store, before[0].pins[PROD])

    assert event == before[1][0]
    assert await everything(store) == before


async def test_a_pin_that_changed_meanwhile_is_a_conflict(store, versions, place):
    mine = put(place, by_hand(versions[0]))
    await pin(store, versions[1])
    before = await everything(store)

    with pytest.raises(Conflict) as caught:
        await record(store, mine)

    assert caught.value.current == versions[1].id
    assert await everything(store) == before


@pytest.mark.parametrize(
    "held",
    [
        lambda pin: f"{pin.epoch + 1}|{pin.id}|{pin.digest}|{pin.operation}",
        lambda pin: f"{pin.epoch}|{pin.id}|{pin.digest[:20]}{'0' * 51}|{pin.operation}",
        lambda pin: f"{pin.epoch}|{pin.id}|{pin.digest}|another",
    ],
    ids=["epoch", "digest", "operation"],
)
async def test_any_difference_is_a_conflict(store, versions, place, held):
    mine = by_hand(versions[0])
    place.set_pin(*PROD, held(mine))

    with pytest.raises(Conflict) as caught:
        await record(store, mine)

    assert caught.value.current == versions[0].id
    assert len(await store.history(MODEL)) == 3


async def test_another_spelling_of_the_epoch_is_none(store, versions, place):
    mine = by_hand(versions[0], epoch=9)
    place.set_pin(*PROD, f"009|{mine.id}|{mine.digest}|{mine.operation}")

    event = await record(store, mine)

    assert event.epoch == 9


@pytest.mark.parametrize("text", [None, "nonsense"])
async def test_a_label_without_a_pin_is_a_conflict(store, versions, place, text):
    if text is not None:
        place.set_pin(*PROD, text)

    with pytest.raises(Conflict) as caught:
        await record(store, by_hand(versions[0]))

    assert caught.value.current is None


async def test_a_version_that_is_not_registered_is_not_recorded(store, versions, place):
    mine = put(place, Pin(MODEL, "prod", 9, UNKNOWN, DIGEST, "by-hand"))
    before = await everything(store)

    with pytest.raises(UnknownVersion):
        await record(store, mine)

    assert await everything(store) == before


async def test_a_version_with_another_digest_is_not_recorded(store, versions, place):
    info = versions[0]
    wrong = info.digest[:20] + "0" * 51
    mine = put(place, Pin(MODEL, "prod", 9, info.id, wrong, "by-hand"))

    with pytest.raises(UnknownVersion):
        await record(store, mine)

    assert len(await store.history(MODEL)) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "No"},
        {"model": "ranker"},
        {"label": "Prod"},
        {"epoch": 0},
        {"epoch": 2**53},
        {"id": "no-id"},
        {"digest": DIGEST},
        {"operation": "a|b"},
        {"operation": ""},
        {"operation": "\udcff"},
    ],
    ids=str,
)
async def test_what_no_label_can_hold_is_refused(store, versions, fields):
    v1 = versions[0]
    right = {"model": MODEL, "label": "prod", "epoch": 9, "id": v1.id, "digest": v1.digest}

    with pytest.raises(InvalidArgument):
        await record(store, Pin(**{**right, "operation": "by-hand", **fields}))


async def test_recording_and_swapping_at_once_are_one_after_the_other(another, versions, place):
    stores = [another(), another()]
    v1, v2, _ = versions
    mine = put(place, by_hand(v1))

    recorded, swapped = await settled(
        [record(stores[0], mine), pin(stores[1], v2, expect=Expect(v1.id))]
    )

    kinds = [event.kind for event in await stores[0].history(MODEL)][:-3]
    if isinstance(recorded, Conflict):
        assert (recorded.current, kinds) == (v2.id, [Kind.PIN])
    else:
        assert kinds == [Kind.PIN, Kind.RECORD]
    assert swapped.epoch == 10

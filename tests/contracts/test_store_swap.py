"""What every store promises about swaps: what is refused, and that it is all or nothing."""

import asyncio

import pytest

from proxy.errors import (
    CommandError,
    Conflict,
    Frozen,
    InvalidArgument,
    Revoked,
    StoreUnsafe,
    UnknownVersion,
    VersionConflict,
)
from proxy.store.base import Change, Expect, Moved, Swapped
from proxy.store.pin_text import MAX_EPOCH
from proxy.versions.record import Kind, Pin
from tests.contracts.places import MODEL, change, new, operation, order, registered, settled

PROD = (MODEL, "prod")


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


async def pin(store, info, label="prod", **options):
    return await store.swap(order(change(info, label, **options)))


async def held(store, label="prod"):
    found = (await store.pins()).pins.get((MODEL, label))
    return found.id if found else None


async def test_a_swap_points_the_label_at_the_version(store, versions):
    id = operation()

    swapped = await store.swap(order(change(versions[0]), operation=id))

    v1 = versions[0]
    assert swapped == Swapped(1, (Moved(MODEL, "prod", None, v1.id, 1),))
    pins = await store.pins()
    assert pins.pins == {PROD: Pin(MODEL, "prod", 1, v1.id, v1.digest, id)}
    assert (pins.epoch, pins.broken) == (1, frozenset())


async def test_every_swap_has_the_next_epoch(store, versions):
    epochs = [(await pin(store, info)).epoch for info in versions]

    assert epochs == [1, 2, 3]


async def test_one_epoch_orders_the_changes_of_all_models(store, versions):
    (other,) = await registered(store, "a", model="ranker")
    await pin(store, versions[0])

    swapped = await pin(store, other)

    assert swapped.epoch == 2
    assert (await store.pins()).epoch == 2


async def test_a_swap_says_what_the_label_held(store, versions):
    await pin(store, versions[0])

    swapped = await pin(store, versions[1])

    assert swapped.moved == (Moved(MODEL, "prod", versions[0].id, versions[1].id, 2),)


async def test_labels_are_pinned_on_their_own(store, versions):
    await pin(store, versions[0])
    await pin(store, versions[1], "staging")

    assert await held(store) == versions[0].id
    assert await held(store, "staging") == versions[1].id


async def test_one_order_swaps_several_models_under_one_epoch(store, versions):
    (other,) = await registered(store, "a", model="ranker")

    swapped = await store.swap(order(change(versions[1]), change(other), change(other, "canary")))

    assert [(moved.model, moved.label, moved.epoch) for moved in swapped.moved] == [
        (MODEL, "prod", 1),
        ("ranker", "prod", 1),
        ("ranker", "canary", 1),
    ]
    assert {each.epoch for each in (await store.pins()).pins.values()} == {1}


UNKNOWN = f"{MODEL}-v9-ffffff"
DIGEST = "sha256:" + "f" * 64


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (lambda info: Change(MODEL, "canary", UNKNOWN, DIGEST), UnknownVersion),
        (lambda info: Change(MODEL, "canary", info.id, DIGEST), VersionConflict),
        (lambda info: change(info, "canary", expect=Expect(UNKNOWN)), Conflict),
        (lambda info: Change("ranker", "prod", info.id, info.digest), UnknownVersion),
    ],
    ids=["unknown version", "other digest", "other holder", "other model's version"],
)
async def test_one_change_that_is_refused_stops_the_whole_order(store, versions, bad, error):
    await pin(store, versions[0])
    before = await store.pins(), await store.history(MODEL)

    with pytest.raises(error):
        await store.swap(order(change(versions[1]), bad(versions[1])))

    assert (await store.pins(), await store.history(MODEL)) == before


async def test_a_version_that_was_never_registered_cannot_be_pinned(store):
    with pytest.raises(UnknownVersion):
        await store.swap(order(Change(MODEL, "prod", UNKNOWN, DIGEST)))

    assert (await store.pins()).pins == {}


async def test_a_number_is_not_enough_to_name_a_version(store, versions):
    wrong_hex = f"{MODEL}-v1-ffffff"

    with pytest.raises(UnknownVersion):
        await store.swap(order(Change(MODEL, "prod", wrong_hex, versions[0].digest)))


async def test_an_expectation_that_holds_lets_the_swap_pass(store, versions):
    v1, v2, _ = versions

    await pin(store, v1, expect=Expect(None))
    await pin(store, v2, expect=Expect(v1.id))

    assert await held(store) == v2.id


@pytest.mark.parametrize("expected", [Expect(None), Expect(UNKNOWN)], ids=["nothing", "other"])
async def test_a_label_that_holds_something_else_is_a_conflict(store, versions, expected):
    await pin(store, versions[0])

    with pytest.raises(Conflict) as caught:
        await pin(store, versions[1], expect=expected)

    assert caught.value.current == versions[0].id
    assert await held(store) == versions[0].id


async def test_a_label_that_holds_nothing_is_a_conflict_too(store, versions):
    with pytest.raises(Conflict) as caught:
        await pin(store, versions[1], expect=Expect(versions[0].id))

    assert caught.value.current is None


async def test_of_two_swaps_that_expect_the_same_one_wins(another, versions):
    stores = [another(), another()]
    v1, *others = versions
    await pin(stores[0], v1)

    done = await settled(
        pin(store, info, expect=Expect(v1.id)) for store, info in zip(stores, others, strict=True)
    )

    (swapped,) = [each for each in done if isinstance(each, Swapped)]
    (conflict,) = [each for each in done if isinstance(each, Conflict)]
    assert conflict.current == swapped.moved[0].id == await held(stores[0])


async def test_a_repeated_swap_gets_the_first_answer_and_changes_nothing(store, versions):
    again = order(change(versions[0]))
    first = await store.swap(again)
    await pin(store, versions[1])

    repeated = await store.swap(again)

    assert repeated == Swapped(first.epoch, first.moved, replayed=True)
    assert await held(store) == versions[1].id


async def test_a_repeated_swap_is_not_checked_again(store, versions):
    once = order(change(versions[0], expect=Expect(None)))
    await store.swap(once)
    await store.freeze(MODEL, True, by="ada", reason="", operation=operation())

    assert (await store.swap(once)).replayed


async def test_a_repeated_rollback_may_have_computed_another_target(store, versions):
    id = operation()
    await store.swap(order(change(versions[0]), operation=id))

    repeated = await store.swap(order(change(versions[1]), operation=id))

    assert repeated.replayed
    assert await held(store) == versions[0].id


async def test_an_operation_id_stands_for_the_labels_that_it_swapped(store, versions):
    id = operation()
    await store.swap(order(change(versions[0]), operation=id))

    with pytest.raises(InvalidArgument):
        await store.swap(order(change(versions[0], "canary"), operation=id))


async def test_a_swap_that_was_refused_may_be_repeated(store, versions):
    again = order(change(versions[1], expect=Expect(versions[0].id)))
    with pytest.raises(Conflict):
        await store.swap(again)
    await pin(store, versions[0])

    assert not (await store.swap(again)).replayed


async def test_pinning_what_is_held_changes_nothing(store, versions):
    await pin(store, versions[0])
    before = await store.pins(), await store.history(MODEL)

    swapped = await pin(store, versions[0], expect=Expect(versions[0].id), revoke=True)

    v1 = versions[0].id
    assert swapped == Swapped(1, (Moved(MODEL, "prod", v1, v1, 1),))
    assert (await store.pins(), await store.history(MODEL)) == before


async def test_pinning_what_is_held_is_remembered_all_the_same(store, versions):
    await pin(store, versions[0])
    again = order(change(versions[0]))
    await store.swap(again)
    await pin(store, versions[1])

    assert (await store.swap(again)).replayed
    assert await held(store) == versions[1].id


async def test_a_label_that_holds_the_version_keeps_its_epoch(store, versions):
    (other,) = await registered(store, "a", model="ranker")
    await pin(store, versions[0])

    swapped = await store.swap(order(change(versions[0]), change(other)))

    assert swapped.epoch == 2
    assert [moved.epoch for moved in swapped.moved] == [1, 2]


async def test_the_new_epoch_lies_above_what_the_fleet_reported(store, versions):
    swapped = await store.swap(order(change(versions[0]), floor=41))

    assert swapped.epoch == 42
    assert (await pin(store, versions[1])).epoch == 43


async def test_a_swap_that_changes_nothing_has_no_new_epoch(store, versions):
    await pin(store, versions[0])

    swapped = await store.swap(order(change(versions[0]), floor=41))

    assert swapped.epoch == 1


async def test_epochs_that_cannot_be_counted_are_refused(store, versions):
    with pytest.raises(StoreUnsafe):
        await store.swap(order(change(versions[0]), floor=MAX_EPOCH))

    assert (await store.pins()).pins == {}


async def test_a_pin_is_an_event(store, versions):
    v1, v2, _ = versions
    await pin(store, v1)
    id = operation()

    await store.swap(
        order(change(v2, kind=Kind.UNDO), operation=id, by="bob", reason='größer "2"\n/')
    )

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.model, event.label) == (Kind.UNDO, MODEL, "prod")
    assert (event.version, event.digest, event.previous) == (v2.id, v2.digest, v1.id)
    assert (event.epoch, event.by, event.operation) == (2, "bob", id)
    assert (event.reason, event.forced) == ('größer "2"\n/', False)
    assert (event.revoked, event.restored) == (None, None)


async def test_every_change_of_an_order_is_an_event_of_its_model(store, versions):
    (other,) = await registered(store, "a", model="ranker")

    await store.swap(order(change(versions[0]), change(versions[1], "canary"), change(other)))

    mine, others = await store.history(MODEL), await store.history("ranker")
    assert [event.label for event in mine[:2]] == ["canary", "prod"]
    assert [event.label for event in others] == ["prod", ""]


async def freeze(store, frozen=True):
    await store.freeze(MODEL, frozen, by="ada", reason="launch", operation=operation())


async def test_a_frozen_model_goes_not_forward(store, versions):
    await pin(store, versions[0])
    await freeze(store)

    with pytest.raises(Frozen):
        await pin(store, versions[1])

    assert await held(store) == versions[0].id


async def test_a_frozen_model_goes_back_to_what_the_label_held(store, versions):
    for info in versions[:2]:
        await pin(store, info)
    await freeze(store)

    await pin(store, versions[0], kind=Kind.ROLLBACK, revoke=True)

    assert await held(store) == versions[0].id


async def test_what_another_label_held_is_not_backward(store, versions):
    await pin(store, versions[0])
    await pin(store, versions[1], "staging")
    await freeze(store)

    with pytest.raises(Frozen):
        await pin(store, versions[1])


async def test_a_revoked_version_is_not_backward(store, versions):
    await pin(store, versions[0])
    await pin(store, versions[1])
    await pin(store, versions[0], revoke=True)
    await freeze(store)

    with pytest.raises(Frozen):
        await pin(store, versions[1], restore=True)


async def test_force_overrides_a_freeze(store, versions):
    await freeze(store)

    await pin(store, versions[0], force=True)

    event, *_ = await store.history(MODEL)
    assert event.forced
    assert await held(store) == versions[0].id


async def test_what_is_held_may_be_pinned_while_frozen(store, versions):
    await pin(store, versions[0])
    await freeze(store)

    assert (await pin(store, versions[0])).epoch == 1


async def test_a_model_that_was_unfrozen_goes_forward(store, versions):
    await freeze(store)
    await freeze(store, frozen=False)

    await pin(store, versions[0])

    assert await held(store) == versions[0].id


async def test_a_freeze_stops_no_other_model(store, versions):
    (other,) = await registered(store, "a", model="ranker")
    await freeze(store)

    await pin(store, other)

    assert await held(store) is None


async def rolled_back(store, versions):
    """Put v1, then v2, then v1 again, revoking v2."""
    await pin(store, versions[0])
    await pin(store, versions[1])
    rollback = order(change(versions[0], kind=Kind.ROLLBACK, revoke=True), reason="wrong tone")
    await store.swap(rollback)


async def test_a_rollback_revokes_what_is_left(store, versions):
    await rolled_back(store, versions)

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.revoked, event.restored) == (Kind.ROLLBACK, versions[1].id, None)
    assert (await store.guards(MODEL)).revoked == {versions[1].id: "wrong tone"}


@pytest.mark.parametrize("label", ["prod", "staging"])
async def test_a_revoked_version_is_refused(store, versions, label):
    await rolled_back(store, versions)

    with pytest.raises(Revoked):
        await pin(store, versions[1], label)


async def test_force_lifts_a_revocation(store, versions):
    await rolled_back(store, versions)

    await pin(store, versions[1], force=True)

    event, *_ = await store.history(MODEL)
    assert (event.forced, event.restored) == (True, versions[1].id)
    assert (await store.guards(MODEL)).revoked == {}


async def test_an_undone_rollback_restores(store, versions):
    await rolled_back(store, versions)

    await pin(store, versions[1], kind=Kind.UNDO, restore=True)

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.forced, event.restored) == (Kind.UNDO, False, versions[1].id)
    assert (await store.guards(MODEL)).revoked == {}


async def test_only_the_first_revocation_is_recorded_as_one(store, versions):
    await rolled_back(store, versions)
    await pin(store, versions[1], "staging", force=True)
    await rolled_back(store, [versions[0], versions[2]])

    await pin(store, versions[0], "staging", revoke=True)
    await pin(store, versions[2], "staging", force=True)

    revoked = [event.revoked for event in await store.history(MODEL, limit=5)]
    assert revoked[:2] == [None, versions[1].id]


async def test_leaving_nothing_revokes_nothing(store, versions):
    await pin(store, versions[0], revoke=True)

    event, *_ = await store.history(MODEL)
    assert event.revoked is None
    assert (await store.guards(MODEL)).revoked == {}


async def test_two_labels_that_leave_one_version_revoke_it_once(store, versions):
    v1, v2, _ = versions
    await store.swap(order(change(v2), change(v2, "staging")))

    await store.swap(order(change(v1, revoke=True), change(v1, "staging", revoke=True)))

    events = await store.history(MODEL, limit=2)
    assert [event.revoked for event in events] == [None, v2.id]


async def test_refusals_come_in_a_fixed_order(store, versions):
    """Each order breaks one rule more than the next; the one that is broken first is told."""
    v1, v2, _ = versions
    await rolled_back(store, versions)
    await freeze(store)
    revoked = change(v2)
    frozen = change(v2, "staging")
    conflict = change(v1, "a", expect=Expect(v2.id))
    digest = Change(MODEL, "b", v1.id, DIGEST)
    orders = [(revoked, frozen, conflict, digest), (revoked, frozen, conflict), (revoked, frozen)]

    refused = await settled(store.swap(order(*changes)) for changes in orders)
    await freeze(store, frozen=False)
    refused += await settled([store.swap(order(revoked))])

    assert [type(error) for error in refused] == [VersionConflict, Conflict, Frozen, Revoked]


@pytest.mark.parametrize(
    "changes",
    [
        lambda info: (),
        lambda info: (change(info), change(info)),
        lambda info: (change(info, "Prod"),),
        lambda info: (change(info, "v2"),),
        lambda info: (Change("a b", "prod", info.id, info.digest),),
        lambda info: (Change(MODEL, "prod", info.id, "abc"),),
    ],
    ids=["none", "one label twice", "label", "label like a version", "model", "digest"],
)
async def test_an_order_that_makes_no_sense_is_refused(store, versions, changes):
    with pytest.raises(InvalidArgument):
        await store.swap(order(*changes(versions[0])))


async def test_text_that_is_no_unicode_is_refused(store, versions):
    with pytest.raises(InvalidArgument):
        await store.swap(order(change(versions[0]), reason="\udcff"))


async def test_a_pin_set_by_hand_is_read_like_any_other(store, versions, place):
    v2 = versions[1]
    await pin(store, versions[0])

    place.set_pin(*PROD, f"9|{v2.id}|{v2.digest}|by hand")

    pins = await store.pins()
    assert pins.pins[PROD] == Pin(MODEL, "prod", 9, v2.id, v2.digest, "by hand")
    assert pins.epoch == 9


async def test_the_next_swap_lies_above_a_pin_set_by_hand(store, versions, place):
    v1, v2, v3 = versions
    await pin(store, v1)
    await pin(store, v1, "staging")
    place.set_pin(*PROD, f"9|{v2.id}|{v2.digest}|by-hand")

    swapped = await pin(store, v3, "staging")

    assert swapped.epoch == 10


async def test_what_was_set_by_hand_is_what_the_label_holds(store, versions, place):
    v1, v2, v3 = versions
    await pin(store, v1)
    place.set_pin(*PROD, f"9|{v2.id}|{v2.digest}|by-hand")

    swapped = await pin(store, v3, expect=Expect(v2.id))

    assert swapped.moved == (Moved(MODEL, "prod", v2.id, v3.id, 10),)


async def test_what_was_set_by_hand_passed_no_gate(store, versions, place):
    """So going back to it is not free."""
    v1, v2, v3 = versions
    await pin(store, v1)
    place.set_pin(*PROD, f"9|{v2.id}|{v2.digest}|by-hand")
    await pin(store, v3)
    await freeze(store)

    with pytest.raises(Frozen):
        await pin(store, v2)


async def test_a_pin_that_cannot_be_read_is_broken(store, versions, place):
    await pin(store, versions[0])
    await pin(store, versions[0], "staging")

    place.set_pin(*PROD, "v2 please")

    pins = await store.pins()
    assert pins.broken == {PROD}
    assert pins.pins.keys() == {(MODEL, "staging")}
    assert pins.epoch == 2


@pytest.mark.parametrize("expected", [Expect(None), Expect(UNKNOWN)], ids=["nothing", "a version"])
async def test_a_broken_pin_is_not_what_anybody_expects(store, versions, place, expected):
    await pin(store, versions[0])
    place.set_pin(*PROD, "v2 please")

    with pytest.raises(Conflict) as caught:
        await pin(store, versions[1], expect=expected)

    assert caught.value.current is None


async def test_a_swap_mends_a_broken_pin(store, versions, place):
    await pin(store, versions[0])
    place.set_pin(*PROD, "v2 please")

    swapped = await pin(store, versions[1])

    assert swapped == Swapped(2, (Moved(MODEL, "prod", None, versions[1].id, 2),))
    assert (await store.pins()).broken == frozenset()


async def test_a_swap_mends_a_pin_with_the_wrong_digest(store, versions, place):
    v1 = versions[0]
    await pin(store, v1)
    wrong = v1.digest[:20] + "0" * 51
    place.set_pin(*PROD, f"5|{v1.id}|{wrong}|by-hand")

    swapped = await pin(store, v1, revoke=True)

    pins = await store.pins()
    assert swapped.epoch == 6
    assert pins.pins[PROD].digest == v1.digest
    assert (await store.guards(MODEL)).revoked == {}


@pytest.mark.slow
async def test_swaps_at_once_are_one_after_the_other(another, versions):
    stores = [another() for _ in range(3)]

    done = await settled(pin(stores[n % 3], versions[n % 3], f"label-{n % 5}") for n in range(60))

    assert not [each for each in done if isinstance(each, BaseException)]
    moved = [event for event in await stores[0].history(MODEL) if event.label]
    epochs = [event.epoch for event in moved]
    assert epochs == sorted(set(epochs), reverse=True)
    assert (await stores[0].pins()).epoch == len(moved)


async def test_a_swap_at_the_moment_of_registration_finds_all_of_it_or_nothing(another):
    stores = [another(), another()]
    asked = new("a")
    id = f"{MODEL}-v1-{asked.digest[7:13]}"
    attempts = [order(Change(MODEL, "prod", id, asked.digest)) for _ in range(5)]

    done = await settled(
        [stores[0].register(asked, operation())] + [stores[1].swap(each) for each in attempts]
    )

    refused = [each for each in done if isinstance(each, BaseException)]
    assert all(isinstance(each, UnknownVersion) for each in refused)
    assert (await stores[0].version(MODEL, 1)).content == asked.content


async def test_a_cancelled_call_leaves_the_store_usable(store, versions):
    waiting = asyncio.ensure_future(pin(store, versions[0]))
    await asyncio.sleep(0)
    waiting.cancel()
    await settled([waiting])

    swapped = await pin(store, versions[1])

    assert swapped.moved[0].id == versions[1].id


async def test_a_refusal_is_a_command_error_with_a_code(store, versions):
    with pytest.raises(CommandError) as caught:
        await store.swap(order(Change(MODEL, "prod", UNKNOWN, DIGEST)))

    assert caught.value.code == "unknown_version"

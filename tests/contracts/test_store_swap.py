"""What every store promises about swaps: what is refused, and that it is all or nothing.

Freezes and revocations are in `test_store_guards`, a fleet that is ahead in `test_store_floor`.
"""

import asyncio

import pytest

from proxy.errors import (
    CommandError,
    Conflict,
    InvalidArgument,
    UnknownVersion,
    VersionConflict,
)
from proxy.store.base import Change, Expect, Moved, Swapped
from proxy.versions.record import Kind, Pin
from tests.contracts.places import (
    DIGEST,
    MODEL,
    PROD,
    UNKNOWN,
    change,
    held,
    new,
    operation,
    order,
    pin,
    registered,
    settled,
)


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


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

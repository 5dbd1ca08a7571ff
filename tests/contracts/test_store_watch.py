"""What every store promises to whoever watches the pins."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.contracts.places import MODEL, change, operation, order, registered

PROD = (MODEL, "prod")

# Far above what any of them needs, so that a busy machine is no failure.
PATIENCE_S = 5.0


@asynccontextmanager
async def watching(store, held=()):
    async with aclosing(store.watch(held)) as pins:
        yield pins


async def until(pins, right):
    """Read on until `right` holds; return those pins."""
    async with asyncio.timeout(PATIENCE_S):
        async for seen in pins:
            if right(seen):
                return seen
    raise AssertionError("a watch does not end by itself")


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b")


async def pin(store, info, label="prod"):
    return await store.swap(order(change(info, label)))


async def test_a_watch_begins_with_the_pins_as_they_are(another, store, versions):
    await pin(store, versions[0])

    async with watching(another()) as pins:
        first = await anext(pins)

    assert first == await store.pins()


async def test_a_watch_of_an_empty_store_begins_too(store):
    async with watching(store) as pins:
        first = await anext(pins)

    assert (first.epoch, first.pins) == (0, {})


async def test_a_watch_sees_the_swap_of_another_store(another, store, versions):
    async with watching(another()) as pins:
        await anext(pins)
        swapped = await pin(store, versions[0])

        seen = await until(pins, lambda seen: seen.epoch == swapped.epoch)

    assert seen == await store.pins()


async def test_a_watch_sees_the_swap_of_its_own_store(store, versions):
    async with watching(store) as pins:
        await anext(pins)
        await pin(store, versions[0])

        seen = await until(pins, lambda seen: seen.epoch == 1)

    assert seen.pins[PROD].id == versions[0].id


async def test_a_watch_sees_a_label_that_is_new(another, store, versions):
    await pin(store, versions[0])
    async with watching(another(), {PROD}) as pins:
        await anext(pins)
        await pin(store, versions[1], "canary")

        seen = await until(pins, lambda seen: seen.epoch == 2)

    assert seen.pins.keys() == {PROD, (MODEL, "canary")}


async def test_an_order_is_seen_whole(another, store, versions):
    (other,) = await registered(store, "a", model="ranker")
    async with watching(another()) as pins:
        await anext(pins)
        await store.swap(order(change(versions[0]), change(other)))

        seen = await until(pins, lambda seen: seen.epoch > 0)

    assert seen.pins.keys() == {PROD, ("ranker", "prod")}


async def test_a_watch_that_falls_behind_sees_the_latest(another, store, versions):
    async with watching(another()) as pins:
        await anext(pins)
        for n in range(20):
            await pin(store, versions[n % 2])

        seen = await until(pins, lambda seen: seen.epoch == 20)

    assert seen.pins[PROD].id == versions[1].id


async def test_epochs_are_seen_in_order(another, store, versions):
    async with watching(another()) as pins:
        swaps = asyncio.ensure_future(_pin_in_turn(store, versions, 20))
        epochs = [(await anext(pins)).epoch]
        while epochs[-1] < 20:
            epochs.append((await anext(pins)).epoch)
        await swaps

    assert epochs == sorted(epochs)


async def _pin_in_turn(store, versions, times):
    for n in range(times):
        await pin(store, versions[n % 2])


@pytest.mark.slow
async def test_a_watch_tells_at_least_every_second_that_the_store_is_there(store, versions):
    async with watching(store) as pins:
        await anext(pins)
        for _ in range(2):
            async with asyncio.timeout(1.2):
                await anext(pins)


async def test_a_pin_set_by_hand_is_seen(another, store, versions, place):
    v1, v2 = versions
    await pin(store, v1)
    async with watching(another(), {PROD}) as pins:
        await anext(pins)
        place.set_pin(*PROD, f"7|{v2.id}|{v2.digest}|by-hand")

        seen = await until(pins, lambda seen: seen.epoch == 7)

    assert seen.pins[PROD].id == v2.id


async def test_a_held_pin_set_by_hand_is_seen_where_no_swap_ever_was(another, versions, place):
    v1 = versions[0]
    held = set()
    async with watching(another(), held) as pins:
        await anext(pins)
        place.set_pin(*PROD, f"7|{v1.id}|{v1.digest}|by-hand")
        held.add(PROD)

        seen = await until(pins, lambda seen: seen.epoch == 7)

    assert seen.pins.keys() == {PROD}


async def test_a_broken_pin_is_seen_as_broken(another, store, versions, place):
    await pin(store, versions[0])
    async with watching(another(), {PROD}) as pins:
        await anext(pins)
        place.set_pin(*PROD, "nonsense")

        seen = await until(pins, lambda seen: seen.broken)

    assert (seen.broken, seen.pins) == ({PROD}, {})


async def test_a_held_label_without_a_pin_is_no_broken_one(another, versions):
    async with watching(another(), {(MODEL, "never")}) as pins:
        first = await anext(pins)

    assert first.broken == frozenset()


async def test_watches_do_not_disturb_one_another(another, store, versions):
    async with watching(another()) as one, watching(another()) as two:
        await anext(one)
        await anext(two)
        await pin(store, versions[0])

        seen = [await until(pins, lambda seen: seen.epoch == 1) for pins in (one, two)]

    assert seen[0] == seen[1]


async def test_freezes_and_registrations_leave_the_pins_alone(another, store, versions):
    await pin(store, versions[0])
    async with watching(another()) as pins:
        first = await anext(pins)
        await store.freeze(MODEL, True, by="ada", reason="", operation=operation())
        await registered(store, "c")

        assert await anext(pins) == first

"""What a watch tells of versions that labels held before, until they are revoked."""

import asyncio
from contextlib import aclosing

import pytest

from proxy.store.base import MOST_FORMER
from proxy.versions.record import Kind
from tests.contracts.places import change, operation, order, pin, registered

PATIENCE_S = 5.0


async def former(store):
    """Return what a watch that begins now tells, as pairs of label and id."""
    async with asyncio.timeout(PATIENCE_S), aclosing(store.watch(())) as watched:
        async for pins in watched:
            return [(one.label, one.id) for one in pins.former]
    raise AssertionError


@pytest.fixture
async def versions(store):
    made = await registered(store, "a", "b", "c")
    await pin(store, made[0])
    return made


async def test_a_first_pin_leaves_nothing(store, versions):
    assert await former(store) == []


async def test_what_labels_held_is_told_oldest_first(store, versions):
    v1, v2, v3 = versions
    await pin(store, v2)
    await pin(store, v1, "staging")
    await pin(store, v3)
    await pin(store, v3, "staging")

    assert await former(store) == [("prod", v1.id), ("prod", v2.id), ("staging", v1.id)]


async def test_a_watch_that_runs_is_told_with_the_pin(another, store, versions):
    v1, v2, _ = versions
    async with asyncio.timeout(PATIENCE_S), aclosing(another().watch(())) as watched:
        await anext(watched)
        await pin(store, v2)

        async for pins in watched:
            if pins.epoch == 2:
                break

    assert [(one.label, one.id) for one in pins.former] == [("prod", v1.id)]


async def test_the_time_is_that_of_the_history(store, versions):
    await pin(store, versions[1])

    async with asyncio.timeout(PATIENCE_S), aclosing(store.watch(())) as watched:
        (one,) = (await anext(watched)).former

    (latest, *_) = await store.history(versions[0].model, 1)
    assert f"{one.at_ms % 1000:03d}Z" == latest.at[-4:]


async def test_what_is_revoked_is_told_no_more(store, versions):
    v1, v2, _ = versions
    await pin(store, v2)
    await pin(store, v1)
    await pin(store, v2)

    await pin(store, v1, kind=Kind.ROLLBACK, revoke=True)

    assert await former(store) == [("prod", v1.id)]


async def test_what_was_revoked_is_not_told_when_another_label_loses_it(store, versions):
    v1, v2, v3 = versions
    await pin(store, v2)
    await pin(store, v2, "staging")
    await pin(store, v1, kind=Kind.ROLLBACK, revoke=True)

    await pin(store, v3, "staging")

    assert await former(store) == [("prod", v1.id)]


async def test_one_order_may_revoke_what_two_labels_lose(store, versions):
    v1, v2, _ = versions
    await pin(store, v2)
    await pin(store, v2, "staging")
    back = {"kind": Kind.ROLLBACK, "revoke": True}

    await store.swap(order(change(v1, "staging", kind=Kind.ROLLBACK), change(v1, **back)))

    assert await former(store) == [("prod", v1.id)]


async def test_a_pin_of_what_is_held_leaves_nothing(store, versions):
    await pin(store, versions[0])
    await store.swap(order(change(versions[0]), floor=100))

    assert await former(store) == []


async def test_the_drill_label_leaves_nothing(store, versions):
    await pin(store, versions[1], "drill")
    await pin(store, versions[0], "drill")

    assert await former(store) == []


async def test_a_repeated_operation_leaves_nothing_more(store, versions):
    once = order(change(versions[1]), operation=operation())
    await store.swap(once)
    await store.swap(once)

    assert await former(store) == [("prod", versions[0].id)]


async def test_a_version_that_a_label_lost_twice_is_told_once_by_the_last_time(store, versions):
    v1, v2, v3 = versions
    for one in (v2, v1, v3):
        await pin(store, one)

    assert await former(store) == [("prod", v2.id), ("prod", v1.id)]


async def test_so_many_are_told_and_no_more(store, versions):
    labels = [f"label-{number}" for number in range(MOST_FORMER + 3)]
    for label in labels:
        for one in versions[:2]:
            await pin(store, one, label)

    told = await former(store)

    assert told == [(label, versions[0].id) for label in labels[3:]]

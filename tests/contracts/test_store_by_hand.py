"""What every store makes of a pin that somebody wrote past it."""

import pytest

from proxy.errors import Conflict, Frozen
from proxy.store.base import Expect, Moved, Swapped
from proxy.versions.record import Pin
from tests.contracts.places import (
    MODEL,
    PROD,
    UNKNOWN,
    freeze,
    pin,
    registered,
)


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


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

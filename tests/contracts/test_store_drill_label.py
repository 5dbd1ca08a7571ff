"""What every store promises about the label that rollbacks are rehearsed on: no guard stands before
it, since no app is served from it, and what goes over it changes none."""

import pytest

from proxy.errors import Frozen, Revoked
from proxy.versions.record import DRILL, Kind
from tests.contracts.places import MODEL, change, freeze, held, operation, order, pin, registered


@pytest.fixture
async def versions(store):
    """Version 2 was rolled back from, and version 1 is in prod."""
    made = await registered(store, "a", "b", "c")
    await pin(store, made[0])
    await pin(store, made[1])
    back = change(made[0], kind=Kind.ROLLBACK, revoke=True)
    await store.swap(order(back))
    return made


async def test_a_revoked_version_may_be_rehearsed_with_and_stays_revoked(store, versions):
    await pin(store, versions[1], DRILL)

    assert await held(store, DRILL) == versions[1].id
    assert set((await store.guards(MODEL)).revoked) == {versions[1].id}
    with pytest.raises(Revoked):
        await pin(store, versions[1])


async def test_a_frozen_model_may_be_rehearsed_with_and_stays_frozen(store, versions):
    await freeze(store, True)

    await pin(store, versions[2], DRILL)

    assert await held(store, DRILL) == versions[2].id
    with pytest.raises(Frozen):
        await pin(store, versions[2])


async def test_what_was_rehearsed_with_did_not_hold_prod(store, versions):
    await pin(store, versions[2], DRILL)
    await freeze(store, True)

    with pytest.raises(Frozen):
        await pin(store, versions[2])


async def test_nothing_that_is_forced_there_waits_to_be_ratified(store, versions):
    forced = change(versions[2], label=DRILL, force=True)
    await store.swap(order(forced, operation=operation()))

    assert (await store.guards(MODEL)).unratified == {}

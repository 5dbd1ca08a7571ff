"""What every store promises about freezes and revocations."""

import pytest

from proxy.errors import Conflict, Frozen, Revoked, VersionConflict
from proxy.store.base import Change, Expect
from proxy.versions.record import Kind
from tests.contracts.places import (
    DIGEST,
    MODEL,
    change,
    freeze,
    held,
    order,
    pin,
    registered,
    settled,
)


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


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

"""What a store says about how it could lose what it was given."""

from proxy.store.base import Weakness


async def test_a_store_for_a_test_is_used_whatever_it_lacks(store):
    found = await store.weaknesses()

    assert all(isinstance(weakness, Weakness) and weakness.message for weakness in found)
    assert [weakness for weakness in found if weakness.refused] == []


async def test_asking_changes_nothing(store):
    assert await store.weaknesses() == await store.weaknesses()
    assert await store.models() == []

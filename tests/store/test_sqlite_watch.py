"""Watching a file, and the leases beside it."""

import time
from contextlib import aclosing

import pytest

from proxy.versions.record import Member
from tests.contracts.places import change, new, operation, order, registered
from tests.store.story import by_hand


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


async def test_a_swap_is_seen_within_a_tenth_of_a_second(store, opened):
    versions = await registered(store, "a", "b")
    took_s = []
    async with aclosing(opened().watch(())) as pins:
        await anext(pins)
        for n in range(5):
            epoch = (await store.swap(order(change(versions[n % 2])))).epoch
            started = time.monotonic()
            while (await anext(pins)).epoch != epoch:
                pass
            took_s.append(time.monotonic() - started)

    assert sorted(took_s)[2] < 0.1


async def test_a_lease_wakes_no_watcher(store, opened, path):
    """Every proxy renews every second; were that a change, all would read all pins all the time."""
    await registered(store, "a")
    (before,) = by_hand(path, "SELECT * FROM sqlite_master")
    stamp = path.stat().st_mtime_ns, wal(path)

    for _ in range(5):
        await store.report(Member("web-1", 0, {}))

    assert (path.stat().st_mtime_ns, wal(path)) == stamp
    assert not [row for row in before if row[1] == "leases"]


def wal(path):
    return path.with_name(path.name + "-wal").stat().st_mtime_ns


async def test_a_removed_file_of_leases_is_made_anew(store, path):
    await store.report(Member("web-1", 0, {}))
    for file in path.parent.glob("*.leases*"):
        file.unlink()

    await store.report(Member("web-2", 0, {}))

    assert [member.name for member in await store.members()] == ["web-2"]


async def test_old_results_are_forgotten(store, path):
    asked, id = new("a"), operation()
    await store.register(asked, id)
    by_hand(path, "UPDATE operations SET at_ms = at_ms - 8 * 86400000")

    await registered(store, "b")

    assert by_hand(path, f"SELECT * FROM operations WHERE operation = '{id}'") == [[]]
    assert not (await store.register(asked, id)).created


async def test_a_closed_store_leaves_one_file(store, path):
    await store.models()

    await store.close()

    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


async def test_closing_twice_is_no_error(store):
    await store.close()

    await store.close()

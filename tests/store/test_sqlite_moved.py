"""A store's file that is removed or replaced while it is in use."""

import asyncio
import shutil
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from proxy.errors import StoreUnavailable
from proxy.store.sqlite import SqliteStore
from tests.contracts.places import MODEL, change, new, operation, order, registered
from tests.store.story import by_hand, until


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


async def test_a_removed_file_is_not_replaced_by_an_empty_one(store, path):
    await registered(store, "a")

    remove(path)

    for call in (store.models(), store.register(new("b"), operation()), store.pins()):
        with pytest.raises(StoreUnavailable, match="gone"):
            await call
    assert not path.exists()


async def test_a_removed_file_ends_the_watch(store, path):
    await registered(store, "a")
    async with aclosing(store.watch(())) as pins:
        await anext(pins)
        remove(path)

        with pytest.raises(StoreUnavailable, match="gone"):
            await until(pins, lambda seen: False)


async def test_a_watch_of_a_removed_file_creates_none(store, path):
    await registered(store, "a")
    remove(path)

    with pytest.raises(StoreUnavailable, match="gone"):
        await anext(store.watch(()))
    assert not path.exists()


async def test_a_file_that_was_put_back_is_used_again(store, path, tmp_path):
    (info,) = await registered(store, "a")
    await store.close()
    shutil.copy(path, tmp_path / "copy.db")
    store = SqliteStore(path)
    await store.models()
    remove(path)
    with pytest.raises(StoreUnavailable):
        await store.models()

    shutil.copy(tmp_path / "copy.db", path)

    assert await store.versions(MODEL) == [info]
    await store.close()


async def test_a_replaced_file_is_read_instead(store, opened, path, tmp_path):
    other = opened(tmp_path / "other.db")
    await registered(other, "x", model="other")
    await other.close()
    await registered(store, "a")

    replace(path, tmp_path / "other.db")

    assert await store.models() == ["other"]


async def test_a_watch_sees_the_pins_of_a_replaced_file(store, opened, path, tmp_path):
    other = opened(tmp_path / "other.db")
    (info,) = await registered(other, "x")
    await other.swap(order(change(info), floor=7))
    await other.close()
    await registered(store, "a")
    async with aclosing(store.watch(())) as pins:
        await anext(pins)
        replace(path, tmp_path / "other.db")

        async with asyncio.timeout(5):
            while (await anext(pins)).epoch != 8:
                pass


async def test_who_watched_a_removed_file_does_no_harm_to_the_next(store, path):
    """Its locks on the side files would make the next process trust what is in them."""
    await registered(store, *"abcdefgh")
    watched = store.watch(())
    await anext(watched)
    path.unlink()  # and leave the side files
    with pytest.raises(StoreUnavailable):
        await until(watched, lambda seen: False)

    await asyncio.to_thread(run, ONE_MORE.format(path=str(path)))

    assert [info.number for info in await store.versions(MODEL)] == [1]
    assert by_hand(path, "PRAGMA integrity_check") == [[("ok",)]]


ONE_MORE = """
import asyncio
from pathlib import Path
from proxy.store.sqlite import SqliteStore
from tests.contracts.places import registered

async def main():
    store = SqliteStore(Path({path!r}))
    await registered(store, "x")
    await store.close()

asyncio.run(main())
"""


def run(script):
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True)


def remove(path):
    for file in path.parent.glob(path.name + "*"):
        file.unlink()


def replace(path, other):
    """Put `other` in the place of the file, as it is done right: without its side files."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    other.replace(path)

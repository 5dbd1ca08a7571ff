"""Every contract test runs once for each store."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from proxy.store.base import Store
from tests.contracts.places import FakeRedisPlace, Place, RedisPlace, SqlitePlace


@pytest.fixture(params=["sqlite", "fakeredis", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    match request.param:
        case "sqlite":
            return SqlitePlace(tmp_path)
        case "fakeredis":
            return FakeRedisPlace()
    return RedisPlace(request.getfixturevalue("redis_server"))


@pytest.fixture
async def another(place: Place) -> AsyncIterator[Callable[..., Store]]:
    """Return a function that opens one more store on the same data."""
    opened: list[Store] = []

    def open_one(**options: float) -> Store:
        opened.append(place.open(**options))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def store(another: Callable[..., Store]) -> Store:
    return another()

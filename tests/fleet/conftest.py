"""A store with two registered versions, and a follower of it, once for each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from proxy.fleet.last_known_good import LastKnownGood
from proxy.store.base import Store
from proxy.versions.record import VersionInfo
from tests.contracts.places import FakeRedisPlace, Place, RedisPlace, SqlitePlace, pin
from tests.fleet.following import Clock, Following, following, registered
from tests.redis_server import RedisServer


@pytest.fixture(params=["sqlite", "fakeredis", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    match request.param:
        case "sqlite":
            return SqlitePlace(tmp_path)
        case "fakeredis":
            return FakeRedisPlace()
    return RedisPlace(request.getfixturevalue("redis_server"))


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """Return the store as an operator has it; the follower gets another one on the same data."""
    opened = place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def infos(store: Store) -> list[VersionInfo]:
    """Return two registered versions, of which the first is pinned."""
    made = await registered(store, "Recommend jackets.", "Recommend hats.")
    await pin(store, made[0])
    return made


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return where a proxy keeps what it served last."""
    return tmp_path / "state"


@pytest.fixture
def disk(directory: Path) -> Iterator[LastKnownGood]:
    opened = LastKnownGood(directory, "here")
    yield opened
    opened.release()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def proxy(
    place: Place, infos: list[VersionInfo], tmp_path: Path, clock: Clock
) -> AsyncIterator[Following]:
    own = place.open()
    async with following(own, tmp_path / "kept", clock=clock) as running:
        yield running
    await own.close()


@pytest.fixture
def server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    """Return a redis-server for this test alone."""
    return start_redis()

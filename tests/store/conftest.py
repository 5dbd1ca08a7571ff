"""A redis-server for each test alone, and stores that are closed when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from proxy.store.sqlite import SqliteStore
from tests.redis_server import RedisServer


@pytest.fixture
def server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    return start_redis()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., RedisStore]]:
    """Return a function that opens a store by URL."""
    stores: list[RedisStore] = []

    def opened(url: str, **options: Any) -> RedisStore:
        stores.append(RedisStore(source(url), **options))
        return stores[-1]

    yield opened
    for store in stores:
        await store.close()


@pytest.fixture
def redis_store(server: RedisServer, connect: Callable[..., RedisStore]) -> RedisStore:
    return connect(server.url)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "deeper" / "store.db"


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[Callable[..., SqliteStore]]:
    """Return a function that opens one more store on the file."""
    stores: list[SqliteStore] = []

    def open_one(at: Path = path) -> SqliteStore:
        stores.append(SqliteStore(at))
        return stores[-1]

    yield open_one
    for store in stores:
        await store.close()


@pytest.fixture
def sqlite_store(opened: Callable[..., SqliteStore]) -> SqliteStore:
    return opened()

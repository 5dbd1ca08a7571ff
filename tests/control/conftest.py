import pytest

from proxy.store.sqlite import SqliteStore
from tests.control.shop import Shop


@pytest.fixture
async def store(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    yield store
    await store.close()


@pytest.fixture
def shop(store):
    return Shop(store)

"""A vendor, a redis-server of the test's own, an operator on it, and a proxy that follows it."""

import pytest
import uvloop

from proxy.simvendor.server import SimulatedVendor
from tests.faults.scene import operator_of, proxy_on
from tests.store.relay import relayed


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def vendor():
    async with SimulatedVendor() as running:
        yield running


@pytest.fixture
def server(start_redis):
    """Return a redis-server for this test alone."""
    return start_redis()


@pytest.fixture
async def operator(tmp_path, server):
    """Return somebody who registered jackets and hats and pinned jackets."""
    async with operator_of(tmp_path / "operator", server.url) as made:
        yield made


@pytest.fixture
async def proxy(tmp_path, vendor, server, operator):
    async with proxy_on(tmp_path / "proxy", vendor.url, server.url) as running:
        yield running


@pytest.fixture
async def relay(server):
    """Return a relay in front of the server, to do damage with."""
    async with relayed(server.port) as standing:
        yield standing


@pytest.fixture
async def far(tmp_path, vendor, operator, relay):
    """Return a proxy that sees the server through the relay only."""
    async with proxy_on(tmp_path / "far", vendor.url, relay.url) as running:
        yield running


@pytest.fixture
def jackets(operator):
    return operator.version("recommender", 1)


@pytest.fixture
def hats(operator):
    return operator.version("recommender", 2)

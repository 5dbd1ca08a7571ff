"""A simulated vendor with a proxy in front of it, two pinned models, and an SDK's client, on the
loop that proxies run on."""

import pytest
import uvloop

from proxy.simvendor.server import SimulatedVendor
from tests.e2e.calls import client_of
from tests.e2e.models import JACKETS, strict
from tests.harness import running_proxy


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Keep SDKs from sending what is for loopback to a proxy of the machine's network."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
async def vendor():
    async with SimulatedVendor(record=50) as running:
        yield running


@pytest.fixture
async def proxy(tmp_path, vendor):
    models = {"recommender": JACKETS, "strict": strict()}
    async with running_proxy(tmp_path, vendor.url, models) as running:
        yield running


@pytest.fixture
async def client(proxy):
    async with client_of(proxy) as made:
        yield made

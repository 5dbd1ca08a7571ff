"""A store that answers and takes no writes: a pin fails cleanly, and apps notice nothing."""

import resource

import pytest

from proxy.errors import StoreUnavailable
from tests.faults.load import under_load
from tests.faults.scene import HATS_PROMPT, JACKETS_PROMPT, is_ready, operator_of, proxy_on
from tests.store.story import eventually

# What makes the server refuse, what makes it well again, and what the operator is told.
REFUSALS = {
    "no memory": (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0), "memory"),
    "no replica": (
        ("CONFIG", "SET", "min-replicas-to-write", 1),
        ("CONFIG", "SET", "min-replicas-to-write", 0),
        "too few replicas",
    ),
    "a replica itself": (
        ("REPLICAOF", "127.0.0.1", 1),
        ("REPLICAOF", "NO", "ONE"),
        "read-only replica",
    ),
}


def lasting(server):
    """Return what must not change: all but leases and questions, which pass by themselves."""
    passing = (b"{proxy}:member", b"{proxy}:question", b"{proxy}:answers")
    return {key: kept for key, kept in server.dump().items() if not key.startswith(passing)}


async def refused_while_serving(proxy, operator):
    """Pin in vain, under load; return the load and the error."""
    async with under_load(proxy.address) as load:
        with pytest.raises(StoreUnavailable) as caught:
            await operator.pin("recommender", 2)
        await load.more()
        assert await is_ready(proxy)
    return load, caught.value


@pytest.mark.parametrize("name", REFUSALS)
async def test_pin_that_the_server_refuses_changes_nothing(proxy, server, operator, jackets, name):
    refuse, allow, reason = REFUSALS[name]
    before = lasting(server)
    server.run(*refuse)

    load, error = await refused_while_serving(proxy, operator)
    after = lasting(server)
    server.run(*allow)

    assert reason in error.message
    assert after == before
    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}


@pytest.mark.parametrize("name", REFUSALS)
async def test_server_that_takes_writes_again_takes_pins(proxy, server, operator, hats, name):
    refuse, allow, _ = REFUSALS[name]
    server.run(*refuse)
    await refused_while_serving(proxy, operator)
    server.run(*allow)

    async with under_load(proxy.address) as load:
        await operator.pin("recommender", 2)
        await load.stamped(hats.id)

    assert load.failed == []
    assert load.prompts[hats.id] == {HATS_PROMPT}


# --- its disk


@pytest.fixture
def durable(start_redis):
    """Return a server that writes each change to its disk, and what the process may write."""
    server = start_redis("--appendonly", "yes", "--appendfsync", "everysec")
    return server, resource.prlimit(server.pid, resource.RLIMIT_FSIZE)


async def test_server_whose_disk_is_full_takes_pins_when_there_is_room_again(
    tmp_path, vendor, durable
):
    server, (soft, hard) = durable
    async with (
        operator_of(tmp_path / "operator", server.url) as operator,
        proxy_on(tmp_path / "proxy", vendor.url, server.url) as proxy,
    ):
        jackets, hats = (operator.version("recommender", number) for number in (1, 2))
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, hard))
        await eventually(lambda: server.run("INFO")["aof_last_write_status"] == "err")
        load, error = await refused_while_serving(proxy, operator)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))
        await eventually(lambda: server.run("INFO")["aof_last_write_status"] == "ok")
        await operator.pin("recommender", 2)
        async with under_load(proxy.address) as afterwards:
            await afterwards.more()

    assert "cannot write to its disk" in error.message
    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert afterwards.prompts == {hats.id: {HATS_PROMPT}}

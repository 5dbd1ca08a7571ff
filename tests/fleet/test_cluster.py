"""A store in a cluster: one node of several serves it, and it may become another one."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest

from proxy.errors import OutcomeUnknown, StoreUnavailable
from proxy.store.url import open_store
from tests.contracts.places import PROD, change, operation, order, pin
from tests.fleet.following import following, registered

pytestmark = pytest.mark.slow


@asynccontextmanager
async def proxy_of(cluster, namespace, directory):
    """Follow the cluster with one version pinned; yields the proxy, an operator, two versions."""
    own, operator = (open_store(cluster.url, namespace=namespace) for _ in range(2))
    infos = await registered(operator, "Recommend jackets.", "Recommend hats.")
    await pin(operator, infos[0])
    async with following(own, directory) as proxy:
        await proxy.until_serving(infos[0])
        yield proxy, operator, infos
    await own.close()
    await operator.close()


async def test_slot_that_moves_to_another_node_is_followed(cluster, tmp_path):
    first, second, _ = cluster.nodes
    async with proxy_of(cluster, "moves", tmp_path) as (proxy, operator, infos):
        await asyncio.to_thread(cluster.move, "moves", first, second)

        assert (await pin(operator, infos[1])).epoch == 2
        await proxy.until_serving(infos[1])
        assert second.run("GET", "{moves}:epoch") == b"2"
        assert await proxy.logged("store.regressed") == []


async def test_documented_users_need_one_right_more(cluster, repository):
    text = (repository / "docs" / "redis.md").read_text()
    for name, rules in re.findall(r"^ACL SETUSER (\w+) (.*)$", text, re.MULTILINE):
        for node in cluster.nodes:
            node.run("ACL", "SETUSER", name, *rules.split(), "+cluster|slots")
    url = cluster.url.replace("//", "//{}:SECRET@")
    operator, proxy = (open_store(url.format(name)) for name in ("operator", "proxy"))

    (info,) = await registered(operator, "Recommend jackets.")
    await pin(operator, info)
    pins = proxy.watch(())

    assert (await anext(pins)).pins[PROD].id == info.id
    await pins.aclose()
    await proxy.close()
    await operator.close()


async def test_version_is_served_while_its_slot_is_between_two_nodes(cluster, tmp_path):
    first, second, _ = cluster.nodes
    async with proxy_of(cluster, "between", tmp_path) as (proxy, _, infos):
        cluster.begin_to_move("between", first, second)
        lines = await proxy.lines("store.lost")
        assert lines[0]["reason"] == "the store's cluster is moving the keys to another node"
        assert proxy.serving() == infos[0].id

        await asyncio.to_thread(cluster.move, "between", first, second)
        await proxy.lines("store.found", 2)


async def test_replica_of_a_node_that_died_is_found(cluster, tmp_path):
    first, *_ = cluster.nodes
    async with proxy_of(cluster, "dies", tmp_path) as (proxy, operator, infos):
        await asyncio.to_thread(first.copied_to, 1)
        first.stop()
        await proxy.lines("store.lost")
        assert proxy.serving() == infos[0].id

        await proxy.lines("store.found", 2)
        assert (await pinned(operator, infos[1])).epoch == 2
        await proxy.until_serving(infos[1])


async def pinned(operator, info):
    """Pin, as often as it takes: the operation has one id and happens once."""
    wanted = order(change(info), operation=operation())
    async with asyncio.timeout(10):
        while True:
            try:
                return await operator.swap(wanted)
            except (StoreUnavailable, OutcomeUnknown):
                await asyncio.sleep(0.05)

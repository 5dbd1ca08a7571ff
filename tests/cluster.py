"""A cluster of three nodes and a replica of the first, as real processes on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot

from proxy.store.redis_keys import Keys
from tests.redis_server import RedisServer, free_port

SLOTS = 16384
NODE_TIMEOUT_MS = 1000
READY_WITHIN_S = 30.0
AGAIN_S = 2.0


class Node(RedisServer):
    def __init__(self, directory: Path) -> None:
        # The port of the bus is by default ten thousand higher: more than there may be.
        self.bus = free_port()
        super().__init__(
            directory,
            *("--cluster-enabled", "yes", "--cluster-port", str(self.bus)),
            *("--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
            *("--repl-diskless-sync-delay", "0"),
        )

    @property
    def id(self) -> bytes:
        return bytes(self.run("CLUSTER", "MYID"))


class Cluster:
    """`nodes` are the three, of which the first has all slots but two; `replica` copies it."""

    def __init__(self, nodes: list[Node], replica: Node) -> None:
        self.nodes = nodes
        self.replica = replica

    @property
    def url(self) -> str:
        """Return the URL of the store; the replica is not named."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"

    def form(self) -> None:
        first, second, third = self.nodes
        first.run("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 3)
        second.run("CLUSTER", "ADDSLOTS", SLOTS - 2)
        third.run("CLUSTER", "ADDSLOTS", SLOTS - 1)
        every = [*self.nodes, self.replica]
        until(lambda: all(known(node) == len(every) for node in every), self._introduce)
        self.replica.run("CLUSTER", "REPLICATE", first.id)
        until(lambda: all(is_well(node) for node in every))

    def _introduce(self) -> None:
        """Let all meet the first; a busy machine may miss the second that they have for it."""
        for node in (*self.nodes[1:], self.replica):
            self.nodes[0].run("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)

    def begin_to_move(self, namespace: str, source: Node, goal: Node) -> None:
        """Give the epoch of a namespace, and nothing else of it, to another node."""
        slot = slot_of(namespace)
        goal.run("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", goal.id)
        source.run("MIGRATE", "127.0.0.1", goal.port, Keys(namespace).epoch, 0, 5000)

    def move(self, namespace: str, source: Node, goal: Node) -> None:
        """Give the slot of a namespace, and all that is in it, to another node."""
        slot = slot_of(namespace)
        goal.run("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", goal.id)
        while keys := source.run("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.run("MIGRATE", "127.0.0.1", goal.port, "", 0, 5000, "KEYS", *keys)
        for node in (goal, source):
            node.run("CLUSTER", "SETSLOT", slot, "NODE", goal.id)


def slot_of(namespace: str) -> int:
    return int(key_slot(Keys(namespace).epoch.encode()))


def known(node: Node) -> int:
    lines = bytes(node.run("CLUSTER", "NODES")).decode().splitlines()
    return sum("handshake" not in line for line in lines)


def is_well(node: Node) -> bool:
    return "cluster_state:ok" in str(node.run("CLUSTER", "INFO"))


def until(right: Callable[[], bool], again: Callable[[], None] = lambda: None) -> None:
    """Wait until `right` holds, and do `again` now and then."""
    give_up = time.monotonic() + READY_WITHIN_S
    due = 0.0
    while not right():
        assert time.monotonic() < give_up, "the cluster does not form"
        if time.monotonic() >= due:
            again()
            due = time.monotonic() + AGAIN_S
        time.sleep(0.02)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a cluster for the tests of a module; each uses a namespace of its own."""
    nodes = [Node(tmp_path_factory.mktemp("node")) for _ in range(4)]
    made = Cluster(nodes[:3], nodes[3])
    try:
        for node in nodes:
            node.start()
        made.form()
        yield made
    finally:
        for node in nodes:
            node.stop()

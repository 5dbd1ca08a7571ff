"""A redis-server in a network of its own, whose answers can get lost without a trace.

A route into a black hole swallows what the server sends, so there is no reset and no refusal: the
kernel on this side waits as it would for a machine whose cable was cut. Needs root and `ip`
(iproute2); where that is missing these tests are skipped, and with CI=true they fail.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer


class FarServer(RedisServer):
    """A server at the other end of a cable."""

    def __init__(self, directory: Path, network: Network) -> None:
        super().__init__(directory, "--protected-mode", "no")
        self.host = network.far
        self.prefix = ("ip", "netns", "exec", network.name)
        self.network = network

    def cut(self) -> None:
        """Lose all that the server sends from now on."""
        self.network.inside("route", "add", "blackhole", self.network.near)

    def heal(self) -> None:
        self.network.inside("route", "del", "blackhole", self.network.near)


class Network:
    """A namespace and the cable to it; `near` is this end's address, `far` the other's."""

    def __init__(self) -> None:
        # 198.18.0.0/15 is for tests of networks (RFC 2544).
        net = f"198.18.{random.randrange(256)}.{4 * random.randrange(64)}"
        stem, _, last = net.rpartition(".")
        self.near, self.far = f"{stem}.{int(last) + 1}", f"{stem}.{int(last) + 2}"
        self.name = f"cut-{secrets.token_hex(4)}"

    def lay(self) -> None:
        """Make the namespace and the cable. Raises `CalledProcessError` if that is not allowed."""
        here, there = f"{self.name}-a", f"{self.name}-b"
        ip("netns", "add", self.name)
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
        ip("addr", "add", f"{self.near}/30", "dev", here)
        ip("link", "set", here, "up")
        self.inside("addr", "add", f"{self.far}/30", "dev", there)
        self.inside("link", "set", there, "up")
        self.inside("link", "set", "lo", "up")

    def inside(self, *words: str) -> None:
        ip("-n", self.name, *words)

    def remove(self) -> None:
        """Remove the namespace; the cable goes with it."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and in CI these tests must run")
    pytest.skip(what)


@pytest.fixture
def far_server(tmp_path: Path) -> Iterator[FarServer]:
    """Return a server that can be cut off in silence."""
    if shutil.which("ip") is None:
        _missing("ip is not installed (Debian: apt-get install iproute2)")
    network = Network()
    try:
        try:
            network.lay()
        except subprocess.CalledProcessError as error:
            _missing(f"there may be no network namespaces here: {error.stderr!r}")
        server = FarServer(tmp_path / "far", network)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        network.remove()

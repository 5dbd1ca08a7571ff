"""A place for a store whose network goes silent: bytes vanish, and nobody is told.

As root, a network namespace at the other end of a cable of its own, whose answers are routed into
nothing. Else a relay that is stopped in its tracks: it looks the same to a proxy, but for its
kernel, which still takes connections.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from bench import machine
from bench.sidecar import ROOT
from bench.store_server import Place, StoreServer
from bench.vendor import wait_for_port

# TEST-NET-2 (RFC 5737): no machine has these addresses. Two of them, joined by a cable.
_HERE, _THERE, _LENGTH = "198.51.100.1", "198.51.100.2", 30

RELAY_STARTED_WITHIN_S = 10.0


class Cable(Protocol):
    @property
    def place(self) -> Place:
        """Where the store has to listen."""

    def url(self, server: StoreServer) -> str:
        """Return what its clients call."""

    def silence(self) -> None: ...

    def restore(self) -> None: ...


@contextmanager
def cable() -> Iterator[Cable]:
    """Lay a cable until the end of the block."""
    if os.geteuid() == 0 and machine.find_tool("ip"):
        namespace = Namespace(f"bench-{secrets.token_hex(3)}")
        try:
            namespace.lay()
            yield namespace
        finally:
            namespace.remove()
    else:
        relay = Relay()
        try:
            yield relay
        finally:
            relay.stop()


@dataclass(slots=True)
class Namespace:
    name: str

    @property
    def place(self) -> Place:
        return Place(_THERE, ("ip", "netns", "exec", self.name))

    def lay(self) -> None:
        here, there = f"{self.name}-a", f"{self.name}-b"
        _ip("netns", "add", self.name)
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
        _ip("addr", "add", f"{_HERE}/{_LENGTH}", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", self.name, "addr", "add", f"{_THERE}/{_LENGTH}", "dev", there)
        _ip("-n", self.name, "link", "set", there, "up")

    def remove(self) -> None:
        """The cable goes with its end."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def url(self, server: StoreServer) -> str:
        return server.url

    def silence(self) -> None:
        _ip("-n", self.name, "route", "add", "blackhole", f"{_HERE}/32")

    def restore(self) -> None:
        _ip("-n", self.name, "route", "del", "blackhole", f"{_HERE}/32")


class Relay:
    """A process between the store and its clients that can be stopped."""

    place = Place()

    def __init__(self) -> None:
        self._port = machine.free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, server: StoreServer) -> str:
        if self._process is None:
            words = [sys.executable, "-m", "bench.relay", str(self._port), str(server.port)]
            self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL)
            wait_for_port(self._port, RELAY_STARTED_WITHIN_S, self._process)
        return f"redis://127.0.0.1:{self._port}/0"

    def silence(self) -> None:
        self._signal(signal.SIGSTOP)

    def restore(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the relay runs"
        self._process.send_signal(number)


def _ip(*words: str) -> None:
    """Raises `RuntimeError` with what `ip` said."""
    told = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if told.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {told.stderr.strip()}")

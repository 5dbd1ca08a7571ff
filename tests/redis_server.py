"""A real redis-server for tests: on a free port of the loopback, empty, kept nowhere.

Fixtures: `redis_server` is one for the whole session (use a namespace of your own), `start_redis`
starts one for the test alone, which may stop, freeze or reconfigure it. Where redis-server is not
installed these tests are skipped; with CI=true in the environment they fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

_STARTED_WITHIN_S = 10.0


class RedisServer:
    """A server process. `options` are as on its command line: `"--appendonly", "yes"`."""

    host = "127.0.0.1"
    # What the process is started by, if not by the test itself.
    prefix: tuple[str, ...] = ()

    def __init__(self, directory: Path, *options: str, port: int | None = None) -> None:
        self.directory = directory
        self.options = options
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server runs"
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it answers; after `stop`, on the same port."""
        self.start_as(*("--save", "", "--appendonly", "no"), *self.options)

    def start_as(self, *arguments: str) -> None:
        """Start it with `arguments` instead: as a sentinel, for example."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, _binary(), *arguments, *self._place()],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                restore_signals=False,  # a file over its limit is an error then, and no signal
            )
        give_up = time.monotonic() + _STARTED_WITHIN_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise RuntimeError((self.directory / "log").read_text(errors="replace"))
            time.sleep(0.01)

    def stop(self) -> None:
        """End the process at once, as a crash would; doing so twice is not an error."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it from answering; its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def run(self, *command: str | bytes | int) -> Any:
        """Send one command, as a person with redis-cli would; return its answer."""
        with self.client() as client:
            return client.execute_command(*command)

    def client(self) -> redis.Redis:
        """Return a connection of a person's own, to be closed."""
        return redis.Redis(host=self.host, port=self.port, socket_timeout=5.0)

    def copied_to(self, replicas: int) -> None:
        """Wait until so many replicas have all that was written up to now."""
        with self.client() as person:
            person.ping()  # WAIT is about what its own connection has seen
            assert person.wait(replicas, 5000) >= replicas

    def dump(self) -> dict[bytes, bytes]:
        """Return everything that is kept, by key."""
        return {key: self.run("DUMP", key) for key in self.run("KEYS", "*")}

    def _place(self) -> list[str]:
        return ["--port", str(self.port), "--bind", self.host, "--dir", str(self.directory)]

    def _listens(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1.0):
                return True
        except OSError:
            return False

    def _signal(self, number: int) -> None:
        os.kill(self.pid, number)


def free_port() -> int:
    """Return a port of the loopback that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _binary() -> str:
    found = shutil.which("redis-server")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("redis-server is not installed, and in CI these tests must run")
    if found is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    return found


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Return a function that starts a server with the options it is given."""
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        server = RedisServer(tmp_path / f"redis-{len(servers)}", *options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()

"""A redis-server of the run's own: on a free port, in its own folder, ended with the run."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench import machine

STARTED_WITHIN_S = 20.0

# What a shop runs that would miss its versions: a log of every write, flushed each second.
DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
# Where the machine's disk is not what is measured: a busy one stops the server for a second.
IN_MEMORY = ("--appendonly", "no", "--save", "")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens; `inside` are the words before its command (`ip netns exec NAME`)."""

    host: str = "127.0.0.1"
    inside: Sequence[str] = ()


class StoreServer:
    def __init__(
        self, folder: Path, place: Place | None = None, keeps: Sequence[str] = DURABLE
    ) -> None:
        self.place = place or Place()
        self._keeps = keeps
        self.port = machine.free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> StoreServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"redis://{self.place.host}:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server runs"
        return self._process.pid

    def start(self) -> None:
        """Start it, with what it kept, and wait until it answers; after `kill`, where it was.

        Raises `RuntimeError` with what it said if it does not.
        """
        program = machine.find_tool("redis-server")
        if program is None:
            raise RuntimeError("redis-server is not installed")
        self._folder.mkdir(parents=True, exist_ok=True)
        place = ["--port", str(self.port), "--bind", self.place.host, "--dir", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.place.inside, program, *place, *self._keeps, "--protected-mode", "no"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_for_answer(self._process)

    def kill(self) -> None:
        """End it at once, as a crash would; doing so twice is not an error."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it from answering; its connections stay open."""
        assert self._process is not None, "the server runs"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None, "the server runs"
        self._process.send_signal(signal.SIGCONT)

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-500:])
            time.sleep(0.005)

    def _answers(self) -> bool:
        """Say whether it answers, and has read what it kept: until then it answers LOADING."""
        try:
            with socket.create_connection((self.place.host, self.port), timeout=1.0) as asked:
                asked.settimeout(1.0)
                asked.sendall(b"PING\r\n")
                return asked.recv(64).startswith(b"+PONG")
        except OSError:
            return False

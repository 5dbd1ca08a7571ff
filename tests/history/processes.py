"""The proxies, as processes of their own that are killed, frozen and started again.

Each has a name, an address and a state directory that outlive its processes. What a process says
on stdout is read as it comes: when it serves, when it has read the store, what it answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness import CANARY
from tests.history.record import Lived, Logged, Recorder

NAMESPACE = "history"
# Far above what it takes, even where the machine has other things to do.
STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 30.0

# A machine gives outgoing connections ports above these (ip_local_port_range, from 32768 on as a
# rule): one of ours must not be taken while its process is down.
PORTS = (20_000, 32_000)


def quiet_port(dice: random.Random) -> int:
    """Return a port of the loopback that nobody listens on, nor is given to a connection."""
    while True:
        port = dice.randrange(*PORTS)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@dataclass
class _Life:
    process: asyncio.subprocess.Process
    number: int
    spawned_s: float
    serving: asyncio.Event = field(default_factory=asyncio.Event)
    serving_s: float | None = None
    found_s: list[float] = field(default_factory=list)
    ended_s: float | None = None
    ended_by: str = ""


class ProxyPlace:
    """Where one proxy runs, one process after the other. `lock` is for whoever disturbs it."""

    def __init__(self, record: Recorder, directory: Path, name: str, port: int) -> None:
        self.name = name
        self.address = ("127.0.0.1", port)
        self.lock = asyncio.Lock()
        self._record = record
        self._directory = directory
        self._life: _Life | None = None
        self._lives = 0
        self._reading: asyncio.Task[None] | None = None
        self._errors: list[bytes] = []

    def configure(self, store_url: str, vendor_url: str) -> None:
        """Write its `proxy.toml`."""
        self._directory.mkdir(parents=True)
        (self._directory / "key").write_text(CANARY)
        (self._directory / "proxy.toml").write_text(
            f"""
[listen]
data = "127.0.0.1:{self.address[1]}"
admin = "127.0.0.1:0"
[fleet]
name = "{self.name}"
[store]
url = "{store_url}"
namespace = "{NAMESPACE}"
[state]
dir = "{self._directory / "state"}"
[vendors.openai]
base_url = "{vendor_url}"
api_key_file = "{self._directory / "key"}"
[timeouts]
drain_s = 1.0
"""
        )

    @property
    def has_saved(self) -> bool:
        return (self._directory / "state" / "last-known-good.json").exists()

    @property
    def errors(self) -> str:
        """What its processes said on stderr: nothing, unless something is wrong."""
        return b"".join(self._errors).decode(errors="replace")

    async def start(self) -> None:
        """Start a process and wait until it serves."""
        self._lives += 1
        spawned_s = self._record.now()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "--config", str(self._directory / "proxy.toml")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._life = _Life(process, self._lives, spawned_s)
        self._reading = asyncio.create_task(self._read(self._life))
        serving = asyncio.ensure_future(self._life.serving.wait())
        ends = (serving, self._reading)
        await asyncio.wait(ends, timeout=STARTS_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        assert self._life is not None, f"{self.name} ended: {self.errors}"
        assert self._life.serving_s is not None, f"{self.name} does not listen"

    async def kill(self) -> None:
        await self._end(signal.SIGKILL, "kill")

    async def stop(self) -> None:
        """Ask it to stop: it drains."""
        await self._end(signal.SIGTERM, "stop")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def _end(self, number: signal.Signals, how: str) -> None:
        life = self._life
        if life is None or self._reading is None:
            return
        if life.process.returncode is None:
            life.ended_s, life.ended_by = self._record.now(), how
            self._signal(number)
        await asyncio.wait_for(self._reading, ENDS_WITHIN_S)

    def _signal(self, number: signal.Signals) -> None:
        if self._life is not None:
            with contextlib.suppress(ProcessLookupError):
                self._life.process.send_signal(number)

    async def _read(self, life: _Life) -> None:
        """Read what a process says until it has ended, then write down its life."""
        assert life.process.stdout is not None
        assert life.process.stderr is not None
        errors = asyncio.create_task(life.process.stderr.read())
        while line := await life.process.stdout.readline():
            if line.endswith(b"\n"):  # a process that is killed may leave half a line
                self._take(life, json.loads(line))
        await life.process.wait()
        self._errors.append(await errors)
        if life.ended_s is None:
            life.ended_s = self._record.now()
        life.serving.set()
        self._life = None
        self._write(life)

    def _take(self, life: _Life, line: dict[str, Any]) -> None:
        match line["event"]:
            case "proxy.started":
                life.serving_s = self._record.now()
                life.serving.set()
            case "store.found":
                life.found_s.append(self._record.now())
            case "request.finished" if line["version"] and line["label"] and line["status"] == 200:
                self._record.add(self._logged(life.number, line))

    def _logged(self, life: int, line: dict[str, Any]) -> Logged:
        key = f"{line['model']}@{line['label']}"
        return Logged(
            line["request_id"], self.name, life, key, line["version"], line["digest"], line["epoch"]
        )

    def _write(self, life: _Life) -> None:
        self._record.add(
            Lived(
                self.name,
                life.number,
                life.spawned_s,
                life.serving_s,
                tuple(life.found_s),
                life.ended_s,
                life.ended_by,
            )
        )

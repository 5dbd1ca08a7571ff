"""A proxy for tests: real store, real files, real sockets, in this process or in one of its own.

Every proxy gets the canary as its vendor's key. When it has stopped, what it wrote (log lines,
store, state directory) is searched for it: whatever test made a key leak is the test that fails.
So is a test in which something went wrong that only the event loop complained about.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from proxy.control.act import Act
from proxy.control.confirm import Wait
from proxy.control.folder import read_folder
from proxy.control.git import GitFacts
from proxy.control.pin import PinReport, Want, pin
from proxy.control.register import Source, register
from proxy.observe.log_sink import LogSink
from proxy.serve import Running, start
from proxy.settings import Settings, split_address
from proxy.store.base import Store
from proxy.store.url import open_store
from proxy.versions import sources
from proxy.versions.record import PROD, VersionInfo

CANARY = "sk-CANARY-7f3a9c21d0b84e56a1c2"
KEY_VARIABLE = "VENDOR_KEY"
PATIENCE_S = 10.0

Files = Mapping[str, str]
Overrides = Mapping[str, Mapping[str, Any]]


class LogFile(io.RawIOBase):
    """Takes what the log thread writes; tells the event loop that there is more."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        with contextlib.suppress(RuntimeError):  # the last lines may come after the loop
            self._loop.call_soon_threadsafe(self._more.set)
        return len(data)

    def lines(self, event: str) -> list[dict[str, Any]]:
        whole = bytes(self.written).split(b"\n")[:-1]
        parsed = (json.loads(line) for line in whole)
        return [line for line in parsed if line["event"] == event]

    async def wait_for(self, event: str, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.lines(event)) < count:
                self._more.clear()
                await self._more.wait()
        return self.lines(event)


class Complaints(logging.Handler):
    """Collects what libraries and the event loop log: exceptions in callbacks end there."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        logging.getLogger().removeHandler(self)


@dataclass
class Registry:
    """A store with the models of a test, changed as `proxyctl` changes it."""

    directory: Path
    store: Store
    _versions: dict[tuple[str, int], VersionInfo] = field(default_factory=dict)
    _operations: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def in_directory(cls, directory: Path) -> Self:
        return cls(directory, open_store(f"sqlite:///{directory / 'store.db'}"))

    def version(self, model: str, number: int) -> VersionInfo:
        return self._versions[model, number]

    async def register(self, model: str, files: Files) -> VersionInfo:
        """Write `files` as the model's sources and register them."""
        folder = self.directory / "models" / model
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        found = read_folder(folder)
        # Git is not asked: it would take two processes to say that a test is in no repository.
        source = Source(model, found, sources.read(found.files, str(folder)), GitFacts())
        report = await register(self.store, source, self._act())
        self._versions[model, report.info.number] = report.info
        return report.info

    async def pin(self, model: str, number: int, label: str = PROD, **options: Any) -> PinReport:
        """Pin a version and wait until every live proxy serves it."""
        wants = [Want(model, f"v{number}")]
        wait = Wait(PATIENCE_S)
        return await pin(self.store, wants, self._act(), wait, label=label, **options)

    def _act(self) -> Act:
        return Act(by="test", operation=f"operation-{next(self._operations):06d}")


@dataclass
class Proxy(Registry):
    """A proxy in this process."""

    running: Running | None = None
    log: LogFile | None = None
    vendor_key: str = CANARY

    @property
    def address(self) -> tuple[str, int]:
        assert self.running is not None
        return split_address(self.running.bound.data)

    @property
    def url(self) -> str:
        assert self.running is not None
        return f"http://{self.running.bound.data}"

    @property
    def base_url(self) -> str:
        """What goes into an SDK's `base_url`."""
        return f"{self.url}/v1"

    @property
    def admin_url(self) -> str:
        assert self.running is not None
        return f"http://{self.running.bound.admin}"

    async def lines(self, event: str, count: int) -> list[dict[str, Any]]:
        """Wait until there are `count` log lines of `event`; return all that there are."""
        assert self.log is not None
        return await self.log.wait_for(event, count)


def settings_for(directory: Path, vendor_url: str, overrides: Overrides | None = None) -> Settings:
    """Return settings with everything under `directory`; `overrides` is by section and field."""
    sections: dict[str, dict[str, Any]] = {
        "listen": {"data": "127.0.0.1:0", "admin": "127.0.0.1:0"},
        "store": {"url": f"sqlite:///{directory / 'store.db'}"},
        "state": {"dir": directory / "state"},
        "vendors": {"openai": {"base_url": vendor_url, "api_key_env": KEY_VARIABLE}},
        "timeouts": {"drain_delay_s": 0, "drain_s": 0.2},
    }
    for section, fields in (overrides or {}).items():
        merged = {**sections.get(section, {}), **fields}
        if section == "vendors":
            usual = sections["vendors"]["openai"]
            merged = {name: {**usual, **entry} for name, entry in merged.items()}
        sections[section] = merged
    return Settings.model_validate(sections)


@asynccontextmanager
async def running_proxy(
    directory: Path,
    vendor_url: str,
    models: Mapping[str, Files],
    overrides: Overrides | None = None,
) -> AsyncIterator[Proxy]:
    """Register and pin `models`, start a proxy in front of `vendor_url`, stop it at the end."""
    settings = settings_for(directory, vendor_url, overrides)
    store = open_store(settings.store.url.get_secret_value(), namespace=settings.store.namespace)
    log = LogFile()
    sink = LogSink(log, most_lines=settings.limits.log_lines)
    proxy = Proxy(directory, store, log=log)
    with Complaints() as complaints:
        try:
            for model, files in models.items():
                await proxy.register(model, files)
                await proxy.pin(model, 1)
            proxy.running = await start(settings, env={KEY_VARIABLE: CANARY}, sink=sink)
            yield proxy
        finally:
            if proxy.running is not None:
                await proxy.running.stop()
            await store.close()
            sink.close()
    texts = {"log": bytes(log.written), "repr": repr(proxy.running).encode()}
    assert leaks(directory, texts) == []
    assert complaints.texts == []


def leaks(directory: Path, texts: Mapping[str, bytes]) -> list[str]:
    """Return where the canary was found: names of `texts`, and files under `directory`."""
    found = [name for name, text in texts.items() if CANARY.encode() in text]
    files = (path for path in directory.rglob("*") if path.is_file())
    return found + [str(path) for path in files if CANARY.encode() in path.read_bytes()]


@dataclass
class Command:
    """`python -m proxy` as a process. `out` and `err` grow while it runs."""

    process: asyncio.subprocess.Process
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> tuple[str, int]:
        return split_address(self.lines("proxy.started")[0]["data"])

    @property
    def admin_url(self) -> str:
        return f"http://{self.lines('proxy.started')[0]['admin']}"

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of `event` so far."""
        # Only these are read: under load there are thousands of others.
        begin = f'{{"event":"{event}"'.encode()
        whole = bytes(self.out).split(b"\n")[:-1]
        return [json.loads(line) for line in whole if line.startswith(begin)]

    async def event(self, name: str, count: int = 1) -> None:
        """Wait for so many log lines of this event. Raises if the process ends without them."""
        async with asyncio.timeout(2 * PATIENCE_S):
            while len(self.lines(name)) < count:
                assert self.process.returncode is None, self.err.decode()
                self._more.clear()
                await self._more.wait()

    def command_line(self) -> bytes:
        return Path(f"/proc/{self.process.pid}/cmdline").read_bytes()

    async def stop(self) -> int:
        """Ask it to stop; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)

    async def read(self, stream: asyncio.StreamReader | None, into: bytearray) -> None:
        assert stream is not None
        while line := await stream.readline():
            into += line
            self._more.set()
        self._more.set()


def write_config(directory: Path, vendor_url: str) -> Path:
    """Write a `proxy.toml` with a key file, as an operator would; return its path."""
    key_file = directory.parent / f"{directory.name}-key"
    key_file.write_text(CANARY)
    config = directory / "proxy.toml"
    config.write_text(
        f"""
[listen]
data = "127.0.0.1:0"
admin = "127.0.0.1:0"
[store]
url = "sqlite:///{directory / "store.db"}"
[state]
dir = "{directory / "state"}"
[vendors.openai]
base_url = "{vendor_url}"
api_key_file = "{key_file}"
"""
    )
    return config


@asynccontextmanager
async def proxy_command(
    config: Path, *arguments: str, through: Sequence[str] = ()
) -> AsyncIterator[Command]:
    """Run `python -m proxy` with `config` until the end of the block; killed if it lingers.

    `through` is a command that runs the one that follows it, in its own place.
    """
    process = await asyncio.create_subprocess_exec(
        *(*through, sys.executable, "-m", "proxy", "--config", config, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    command = Command(process)
    reading = asyncio.gather(
        command.read(process.stdout, command.out), command.read(process.stderr, command.err)
    )
    try:
        await command.event("proxy.started")
        yield command
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await reading

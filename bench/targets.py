"""What is measured: read from targets.toml, prepared, started on its own CPU, and stopped.

In strings of a target, and in the files that it lists, these words are replaced: @PORT@ (a
free one), @VENDOR@ (the vendor's base URL), @VENDOR_PORT@, @HERE@ (the folder of the targets file),
@WORK@ (a folder of its own, removed afterwards), @ROOT@ (this checkout), @PYTHON@ (the
interpreter that runs the benchmark), @BIN@ (its folder) and @PEERS@ (where setup.sh installed).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from bench import ask, machine
from bench.plan import Plan
from bench.vendor import wait_for_port

HERE = Path(__file__).parent
DEFAULT_FILE = HERE / "targets.toml"
PEERS_FILE = HERE / "peers" / "targets.toml"
TOKEN = "sk-bench-0000"


@dataclass(frozen=True, slots=True)
class Spec:
    """One table of a targets file.

    `kind` is `ours`, `floor` or `gateway`. `files` maps a name in the work folder to a template
    beside the targets file. `expect` is what the vendor must have seen, by JSON path, and
    `stamp` a response header that must be there. `log_event` counts lines that hold it.
    """

    name: str
    folder: Path
    command: list[str]
    kind: str = "gateway"
    port_file: str = ""
    path: str = "/v1/chat/completions"
    model: str = "gpt-4o-mini"
    headers: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    prepare: list[list[str]] = field(default_factory=list)
    expect: dict[str, Any] = field(default_factory=dict)
    stamp: str = ""
    log_event: str = ""
    start_limit_s: float = 60
    modes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def read_specs(path: Path) -> dict[str, Spec]:
    """Read a targets file; a table that is `like` another one holds only what differs."""
    tables = tomllib.loads(path.read_text())
    found = {}
    for name, table in tables.items():
        whole = {**tables.get(table.pop("like", ""), {}), **table}
        found[name] = Spec(name=name, folder=path.parent, **whole)
    return found


def choose(wanted: list[str]) -> list[Spec]:
    """Return the targets named in `wanted`; without names, those of targets.toml."""
    default = read_specs(DEFAULT_FILE)
    if not wanted:
        return list(default.values())
    known = {**read_specs(PEERS_FILE), **default}
    unknown = sorted(set(wanted) - known.keys())
    if unknown:
        raise SystemExit(f"no such target: {', '.join(unknown)}; known: {', '.join(known)}")
    return [known[name] for name in wanted]


class Target:
    """A target that runs. `startup_s` is from its start to its first answer."""

    startup_s: float

    def __init__(self, plan: Plan, spec: Spec, vendor_url: str) -> None:
        self.spec = spec
        self.port = 0 if spec.port_file else machine.free_port()
        self.work = Path(tempfile.mkdtemp(prefix=f"bench-{spec.name}-"))
        self.work.chmod(0o755)  # nginx's worker drops root's rights
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._words = {
            "@PORT@": str(self.port),
            "@VENDOR@": vendor_url,
            "@VENDOR_PORT@": vendor_url.rpartition(":")[2],
            "@HERE@": str(spec.folder.resolve()),
            "@WORK@": str(self.work),
            "@ROOT@": str(HERE.parent.resolve()),
            "@PYTHON@": sys.executable,
            "@BIN@": str(Path(sys.executable).parent),
            "@PEERS@": str(plan.peers),
        }

    def __enter__(self) -> Target:
        try:
            self._start()
        except RuntimeError as error:
            told = self.log()[-300:].decode(errors="replace")
            self.stop()
            raise RuntimeError(f"{error}; its log: {told}") from error
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        return machine.tree(self.pid)

    @property
    def headers(self) -> dict[str, str]:
        own = {name: self._filled(value) for name, value in self.spec.headers.items()}
        return {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}", **own}

    def body(self, *, stream: bool = False, large_bytes: int = 0) -> bytes:
        return ask.body(self.spec.model, stream=stream, large_bytes=large_bytes)

    def ask(self, *, stream: bool = False, large_bytes: int = 0) -> Answer:
        """Send one request. Raises `OSError` when nobody answers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.spec.path}",
            self.body(stream=stream, large_bytes=large_bytes),
            self.headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def log(self) -> bytes:
        place = self.work / "log"
        return place.read_bytes() if place.exists() else b""

    def log_lines(self) -> int:
        """Count the lines of the log that hold the target's `log_event`."""
        return self.log().count(self.spec.log_event.encode())

    def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            family = self.pids()
            _signal(self._process.pid, signal.SIGTERM, group=True)
            try:
                self._process.wait(6)
            except subprocess.TimeoutExpired:
                for pid in family:
                    _signal(pid, signal.SIGKILL)
                self._process.wait()
        if not self._plan.keep:
            shutil.rmtree(self.work, ignore_errors=True)

    def _start(self) -> None:
        for name, template in self.spec.files.items():
            place = self.work / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(self._filled((self.spec.folder / template).read_text()))
        for command in self.spec.prepare:
            subprocess.run(
                self._command(command),
                env=self._env(),
                cwd=self.work,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        self._launch()

    def _launch(self) -> None:
        began = time.monotonic()
        with (self.work / "log").open("wb") as log:
            self._process = subprocess.Popen(
                machine.pinned(self._plan.target_cpu, self._plan.nice)
                + self._command(self.spec.command),
                env=self._env(),
                cwd=self.work,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self.spec.port_file:
            self.port = self._port_it_chose(self._process)
        wait_for_port(self.port, self.spec.start_limit_s, self._process)
        self._wait_for_answer(began)

    def _wait_for_answer(self, began: float) -> None:
        last: object = None
        while time.monotonic() - began < self.spec.start_limit_s:
            try:
                answer = self.ask()
            except OSError as error:
                last = error
            else:
                if answer.status == 200:
                    self.startup_s = time.monotonic() - began
                    return
                last = (answer.status, answer.body[:300])
            time.sleep(0.05)
        raise RuntimeError(f"{self.spec.name} does not answer with 200: {last}")

    def _port_it_chose(self, process: subprocess.Popen[bytes]) -> int:
        deadline = time.monotonic() + self.spec.start_limit_s
        place = Path(self._filled(self.spec.port_file))
        while time.monotonic() < deadline and process.poll() is None:
            if place.exists() and (text := place.read_text()):
                return int(text)
            time.sleep(0.01)
        raise RuntimeError(f"{self.spec.name} wrote no port to its port file")

    def _command(self, words: list[str]) -> list[str]:
        filled = [self._filled(word) for word in words]
        program = machine.find_tool(filled[0])
        if program is None:
            raise RuntimeError(f"{filled[0]} is not installed")
        return [program, *filled[1:]]

    def _env(self) -> dict[str, str]:
        env = {**os.environ, **{key: self._filled(text) for key, text in self.spec.env.items()}}
        # With it set, a package without byte code is compiled again and again.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return env

    def _filled(self, text: str) -> str:
        for word, value in self._words.items():
            text = text.replace(word, value)
        return text


def _signal(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    try:
        os.killpg(pid, number) if group else os.kill(pid, number)
    except ProcessLookupError:
        return


def complaint(spec: Spec, answer: Answer, seen: dict[str, Any]) -> str:
    """Say what is wrong with one exchange, seen at both ends; empty if nothing is."""
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200]!r}"
    text = json.loads(answer.body)["choices"][0]["message"]["content"]
    if not text.startswith(ask.ANSWER):
        return f"another answer than the vendor's: {text[:80]!r}"
    if seen["messages"][-1]["content"] != ask.QUESTION:
        return "the vendor did not get the question"
    if spec.stamp and spec.stamp not in {name.lower() for name in answer.headers}:
        return f"no {spec.stamp} header"
    for path, wanted in spec.expect.items():
        if (found := _at(seen, path)) != wanted:
            return f"the vendor saw {found!r} for {path}, not {wanted!r}"
    return ""


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value.get(step)
    return value

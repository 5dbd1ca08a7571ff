"""Two ways to operate: the use cases in this process, and `proxyctl` as a process that may be
killed. Both answer with what `--json` answers, and with what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from proxy.control.act import Act
from proxy.control.back import rollback, undo
from proxy.control.confirm import Wait
from proxy.control.pin import Want, pin
from proxy.control.register import read_source, register
from proxy.errors import OutcomeUnknown, ProxyError
from proxy.store.base import Store
from tests.history.processes import NAMESPACE

RUN = "from proxy.cli.main import main; main()"
BY = "history"
REASON = "the history checker does it"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. `wants` maps models to ids for a pin, and names the one model otherwise."""

    verb: str
    operation: str
    wants: tuple[tuple[str, str], ...]
    label: str = "prod"
    timeout_s: float = 1.0
    required: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """`outcome` is one of those of `record.Pinned`; `json` is empty unless it was done."""

    outcome: str
    json: dict[str, Any]
    code: str = ""


class Hand(Protocol):
    async def do(self, order: Order) -> Answered: ...


class InProcess:
    """Operates over a store of its own."""

    def __init__(self, store: Store, models: Path) -> None:
        self._store = store
        self._models = models

    async def do(self, order: Order) -> Answered:
        try:
            answer = await self._report(order)
        except OutcomeUnknown as error:
            return Answered("unknown", {}, error.code)
        except ProxyError as error:
            return Answered("refused", {}, error.code)
        return answer

    async def _report(self, order: Order) -> Answered:
        act = Act(BY, order.operation, REASON)
        model = order.wants[0][0]
        if order.verb == "register":
            source = await read_source(self._models, model)
            return Answered("done", (await register(self._store, source, act)).json())
        report = await self._moved(order, act, model)
        enough = report.confirmation.enough
        return Answered("done" if enough else "unconfirmed", report.json())

    def _moved(self, order: Order, act: Act, model: str) -> Awaitable[Any]:
        wait = Wait(order.timeout_s, order.required)
        if order.verb == "rollback":
            return rollback(self._store, model, act, wait, label=order.label)
        if order.verb == "undo":
            return undo(self._store, model, act, wait, label=order.label)
        wants = [Want(*want) for want in order.wants]
        return pin(self._store, wants, act, wait, label=order.label, force=order.force)


class ByCommand:
    """Runs `proxyctl`. `patience_s` is for the next one only: it is killed after that long."""

    def __init__(self, store_url: str, directory: Path) -> None:
        self.patience_s: float | None = None
        self._directory = directory
        self._env = {
            **os.environ,
            "PROXY_STORE_URL": store_url,
            "PROXY_CONFIG": str(directory / "proxy.toml"),
        }
        (directory / "proxy.toml").write_text(f'[store]\nnamespace = "{NAMESPACE}"\n')

    async def do(self, order: Order) -> Answered:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUN, *arguments(order)),
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        saying = asyncio.ensure_future(process.communicate())
        patience_s, self.patience_s = self.patience_s, None
        done, _ = await asyncio.wait([saying], timeout=patience_s)
        if not done:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        out, err = await saying
        return read(process.returncode, out, err.decode())


def arguments(order: Order) -> list[str]:
    """Return the command line of `order`."""
    id = ("--op-id", order.operation, "--as", BY, "--json")
    if order.verb == "register":
        return ["register", order.wants[0][0], *id]
    require = "all" if order.required is None else str(order.required)
    wait = ("--label", order.label, "--timeout", str(order.timeout_s), "--require", require)
    told: Sequence[str] = [order.wants[0][0]]
    if order.verb == "pin":
        told = [part for want in order.wants for part in want]
    force = ["--force"] if order.force else []
    return [order.verb, *told, *id, *wait, "--reason", REASON, *force]


def read(status: int | None, out: bytes, err: str) -> Answered:
    """Read what a command answered, by its exit status; one that was killed may have said all."""
    match status:
        case 0:
            return Answered("done", json.loads(out))
        case 3:
            return Answered("unconfirmed", json.loads(out))
        case 1:
            codes = re.findall(r"\[([a-z_]+)\]", err)
            return Answered("refused", {}, codes[0] if codes else err)
        case 4 | -9:
            return Answered("unknown", {}, f"status {status}")
    raise AssertionError(f"proxyctl ended with {status}: {err}")

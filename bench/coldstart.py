"""From the start of a proxy's process to its first answer: with its store, with what it kept, with
neither. In the last case the store comes back, and the proxy is asked until it answers with 200.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import ask, machine, versions
from bench.goals import KEPT, NOTHING, WITH_STORE
from bench.outage import PATH
from bench.plan import Plan
from bench.sidecar import Sidecar, Wiring
from bench.store_server import StoreServer
from bench.targets import TOKEN
from bench.vendor import Vendor
from proxy.store.base import Change, Order
from proxy.store.url import open_store
from proxy.versions.record import PROD

Facts = dict[str, Any]

ANSWERED_WITHIN_S = 20.0
LOOK_S = 0.002

# Long enough that a proxy which looks for its store now and then is at its slowest.
AWAY_S = 3.0


@dataclass(frozen=True, slots=True)
class Start:
    """`away` and `back` are what happens to the store before and after the start. `kept` says that
    there is a last known good."""

    name: str
    away: Callable[[], None]
    back: Callable[[], None]
    kept: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The first answer, and when it came, on the monotonic clock."""

    at_s: float
    status: int
    code: str
    retry_after: str | None


def run(plan: Plan, starts: int, out: Path) -> None:
    """Start a proxy in each of the ways, `starts` times; the first time does not count."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        lines = stack.enter_context(out.open("a"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-start-")))
        server = stack.enter_context(StoreServer(folder / "store"))
        vendor = stack.enter_context(Vendor(plan))
        asyncio.run(_pinned(server.url))
        print(json.dumps(machine.header()), file=lines, flush=True)
        for number in range(starts + 1):
            for start in ways(server):
                found = _started(plan, folder / f"{number}", start, (server, vendor))
                record = {"round": number, "target": start.name, "kind": "coldstart"}
                if number:
                    print(json.dumps({**record, "start": found}), file=lines, flush=True)
                    print(number, start.name, found, flush=True)


def ways(server: StoreServer) -> list[Start]:
    def stays() -> None:
        pass

    gone, silent = (server.kill, server.start), (server.freeze, server.thaw)
    return [
        Start(WITH_STORE, stays, stays, kept=False),
        Start(KEPT[0], *gone, kept=True),
        Start(KEPT[1], *silent, kept=True),
        Start(NOTHING[0], *gone, kept=False),
        Start(NOTHING[1], *silent, kept=False),
    ]


async def _pinned(url: str) -> None:
    store = open_store(url)
    try:
        (info,) = await versions.register(store, 1)
        change = Change(versions.MODEL, PROD, info.id, info.digest)
        await store.swap(Order((change,), "pin-1", "bench"))
    finally:
        await store.close()


def _started(plan: Plan, folder: Path, start: Start, others: tuple[StoreServer, Vendor]) -> Facts:
    server, vendor = others
    place = folder / start.name.replace(" ", "-").replace(",", "")
    sidecar = Sidecar(place, _wiring(plan, server.url, vendor))
    if start.kept:
        _keep(sidecar)
    with _away(start) as come_back, _running(sidecar) as began:
        first = _answer(sidecar, any_status=True)
        used_s = machine.cpu_us(machine.tree(sidecar.pid)) / 1e6
        found: Facts = {"first_s": first.at_s - began, "cpu_s": used_s, "status": first.status}
        if first.status != 200:
            found |= {"code": first.code, "retry_after_s": _number(first.retry_after)}
            time.sleep(AWAY_S)
            came_back = time.monotonic()
            come_back()
            found["healed_s"] = _answer(sidecar, any_status=False).at_s - came_back
    return found


def _wiring(plan: Plan, url: str, vendor: Vendor) -> Wiring:
    pinned = tuple(machine.pinned(plan.target_cpu, plan.nice))
    return Wiring("web-1", url, vendor.url, data_port=machine.free_port(), before=pinned)


@contextmanager
def _away(start: Start) -> Iterator[Callable[[], None]]:
    """Take the store away; it comes back when the callable is called, or at the end."""
    start.away()
    waiting = [start.back]
    try:
        yield lambda: waiting.pop()()
    finally:
        if waiting:
            waiting.pop()()


@contextmanager
def _running(sidecar: Sidecar) -> Iterator[float]:
    """Run a proxy; gives the moment of its start."""
    began = time.monotonic()
    sidecar.launch()
    try:
        yield began
    finally:
        sidecar.stop()


def _keep(sidecar: Sidecar) -> None:
    """Run the proxy once with its store; it saves what it serves at the latest when it stops."""
    with _running(sidecar):
        _answer(sidecar, any_status=False)


def _answer(sidecar: Sidecar, *, any_status: bool) -> Answered:
    """Ask until there is an answer, or one with 200. Raises `RuntimeError` if there is none."""
    deadline = time.monotonic() + ANSWERED_WITHIN_S
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = _asked(sidecar.wiring.data_port)
        except OSError as error:
            last = error
        else:
            if any_status or found.status == 200:
                return found
            last = found
        time.sleep(LOOK_S)
    raise RuntimeError(f"no answer: {last}; its log: {sidecar.log()[-300:]}")


def _asked(port: int) -> Answered:
    """Send one request. Raises `OSError` if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    try:
        connection.request("POST", PATH, ask.body(versions.MODEL), headers)
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP: {error}") from error
    finally:
        connection.close()
    retry_after = answer.getheader("retry-after")
    return Answered(time.monotonic(), answer.status, code(body), retry_after)


def code(body: bytes) -> str:
    """Return the code in an error's body; empty if it is none."""
    answered = json.loads(body)
    error = answered.get("error") if isinstance(answered, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def _number(text: str | None) -> float | None:
    return float(text) if text is not None else None

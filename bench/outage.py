"""Requests while the store is away: killed, frozen, cut off from the network, each for a while.

One proxy alone on its CPU answers a steady load over the vendor. Each phase has a second of quiet
before the fault and some after it, all under load. When the fault ends, two clocks run: until the
proxy says that it follows the store again, and until a pin that is made at once is confirmed.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import ask, machine, partition, steady, versions
from bench.goals import FAULTS, HEALTHY
from bench.plan import Plan
from bench.sidecar import Sidecar, Wiring
from bench.store_server import StoreServer
from bench.targets import TOKEN
from bench.vendor import CHUNKS, Vendor, wait_for_port
from proxy.control.act import Act
from proxy.control.confirm import Wait
from proxy.control.pin import Want, pin
from proxy.errors import ProxyError
from proxy.store.url import open_store

Facts = dict[str, Any]

BEFORE_S = 1.0
AFTER_S = 4.0

# Together about a tenth of what one core can do: a request waits for nothing but the proxy.
PER_S = 200
STREAM_EACH = 20

STARTED_WITHIN_S = 20.0
RECOVERED_WITHIN_S = 30.0
LOOK_S = 0.01

PATH = "/v1/chat/completions"

# Long enough to be noticed, for the faults that are there for their end alone; not always the same,
# or each would end in the same place of the proxy's waits.
SHORT_S = (3.0, 5.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the store, and how it ends."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that runs. `url` is where clients find the store."""

    plan: Plan
    vendor: Vendor
    server: StoreServer
    cable: partition.Cable
    url: str
    sidecar: Sidecar

    def faults(self) -> list[Fault]:
        acts = (
            (self.server.kill, self.server.start),
            (self.server.freeze, self.server.thaw),
            (self.cable.silence, self.cable.restore),
        )
        return [Fault(name, *pair) for name, pair in zip(FAULTS, acts, strict=True)]


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a store is away under load, and how often it is for a moment afterwards: when a
    proxy finds it again depends on where in its waits the fault ends."""

    seconds: float
    again: int
    rounds: int

    @property
    def pins(self) -> int:
        return 1 + self.rounds * len(FAULTS) * (1 + self.again)


def run(plan: Plan, stay: Stay, out: Path) -> None:
    """Let the store be away in each of its ways, as often as `stay` says."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as lines, scene(plan, stay.pins) as played:
        print(json.dumps(machine.header()), file=lines, flush=True)
        numbers = iter(range(2, stay.pins + 1))
        for number in range(1, stay.rounds + 1):
            for fault in (None, *played.faults()):
                name = fault.name if fault else HEALTHY
                found = _phase(played, fault, stay, numbers)
                record = {"round": number, "target": name, "kind": "outage", "outage": found}
                print(json.dumps(record), file=lines, flush=True)
                print(number, name, found, flush=True)


@contextmanager
def scene(plan: Plan, pins: int) -> Iterator[Scene]:
    """Start a store with `pins` versions at the end of a cable, a vendor and a proxy that follows
    and serves."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-outage-")))
        cable = stack.enter_context(partition.cable())
        server = stack.enter_context(StoreServer(folder / "store", cable.place))
        url = cable.url(server)
        vendor = stack.enter_context(Vendor(plan))
        asyncio.run(_register(url, pins))
        sidecar = Sidecar(folder / "proxy", _wiring(plan, url, vendor))
        stack.callback(sidecar.stop)
        sidecar.launch()
        wait_for_port(sidecar.wiring.data_port, STARTED_WITHIN_S, sidecar.running)
        _pin(url, 1)
        yield Scene(plan, vendor, server, cable, url, sidecar)


def _wiring(plan: Plan, url: str, vendor: Vendor) -> Wiring:
    return Wiring(
        "web-1",
        url,
        vendor.url,
        data_port=machine.free_port(),
        admin_port=machine.free_port(),
        before=tuple(machine.pinned(plan.target_cpu, plan.nice)),
    )


async def _register(url: str, count: int) -> None:
    store = open_store(url)
    try:
        await versions.register(store, count)
    finally:
        await store.close()


def _pin(url: str, number: int) -> float:
    """Pin until it is confirmed. Returns the seconds that it took.

    Raises `RuntimeError` if it is not within the limit.
    """
    began = time.monotonic()
    last: object = None
    attempt = 0
    while time.monotonic() - began < RECOVERED_WITHIN_S:
        attempt += 1
        try:
            last = asyncio.run(_pinned(url, number, f"pin-{number}-{attempt}"))
        except ProxyError as error:
            last = error.message
            time.sleep(LOOK_S)
        if last is True:
            return time.monotonic() - began
    raise RuntimeError(f"v{number} was not confirmed: {last}")


async def _pinned(url: str, number: int, operation: str) -> bool:
    store = open_store(url)
    try:
        want = Want(versions.MODEL, f"v{number}")
        report = await pin(store, [want], Act("bench", operation), Wait())
        return report.confirmation.confirmed == 1
    finally:
        await store.close()


def _phase(played: Scene, fault: Fault | None, stay: Stay, numbers: Iterator[int]) -> Facts:
    plan, whole_s = played.plan, BEFORE_S + stay.seconds + AFTER_S
    recovered: list[Facts] = []
    busy, used = machine.all_busy_us(), _used_us(played)
    with _load(plan, _spec(played, whole_s)) as load:
        time.sleep(BEFORE_S)
        if fault is not None:
            recovered.append(_away(played, fault, stay.seconds, next(numbers)))
        told, errors = load.communicate(timeout=whole_s + 60)
    if load.returncode:
        raise RuntimeError(errors[-2000:])
    strangers = machine.all_busy_us() - busy - (_used_us(played) - used)
    found: Facts = json.loads(told)
    found["noise"] = max(0.0, strangers) / (whole_s * 1e6 * machine.cpus())
    lag_s = played.sidecar.metric("proxy_loop_lag_seconds")
    if lag_s is not None:
        found["loop_lag_ms"] = lag_s * 1000
    if fault is not None:
        shorts = [random.uniform(*SHORT_S) for _ in range(stay.again)]
        recovered += [_away(played, fault, seconds, next(numbers)) for seconds in shorts]
    return {**found, **summed_up(recovered)}


def summed_up(recovered: Sequence[Facts]) -> Facts:
    """Return the median and the most of the times until all was well again."""
    if not recovered:
        return {}
    found: Facts = {"noticed": all(one["noticed"] for one in recovered), "times": len(recovered)}
    for clock in ("follows_s", "confirmed_s"):
        # One that did not within the limit is not left out: it is at the limit.
        seconds = [one[clock] or RECOVERED_WITHIN_S for one in recovered]
        found |= {clock: statistics.median(seconds), f"most_{clock}": max(seconds)}
    return found


def _used_us(played: Scene) -> float:
    """Return the CPU time of all that is ours and runs for the whole phase."""
    ours = [*machine.tree(played.sidecar.pid), played.vendor.pid]
    return machine.cpu_us(ours) + machine.own_cpu_us()


def _away(played: Scene, fault: Fault, seconds: float, number: int) -> Facts:
    fault.begin()
    time.sleep(seconds)
    noticed = played.sidecar.metric("proxy_store_connected") == 0
    fault.end()
    with _watched(played.sidecar) as follows_s:
        confirmed_s = _pin(played.url, number)
    return {"noticed": noticed, "follows_s": follows_s[0], "confirmed_s": confirmed_s}


@contextmanager
def _watched(sidecar: Sidecar) -> Iterator[list[float | None]]:
    """Look at a proxy beside the block; the list's one item is after how many seconds it followed
    its store, from the beginning of the block. It is there at the end of the block."""
    found: list[float | None] = [None]
    began = time.monotonic()

    def watch() -> None:
        while time.monotonic() - began < RECOVERED_WITHIN_S:
            with suppress(OSError):
                if sidecar.metric("proxy_store_connected") == 1:
                    found[0] = time.monotonic() - began
                    return
            time.sleep(LOOK_S)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        watcher.join()


@contextmanager
def _load(plan: Plan, spec: steady.Spec) -> Iterator[subprocess.Popen[str]]:
    words = [*machine.pinned(plan.load_cpu, plan.nice), sys.executable, "-m", "bench.steady"]
    load = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert load.stdin is not None
    load.stdin.write(json.dumps(asdict(spec)))
    load.stdin.close()
    load.stdin = None
    try:
        yield load
    finally:
        load.kill()
        load.wait()


def _spec(played: Scene, seconds: float) -> steady.Spec:
    port = played.sidecar.wiring.data_port
    return steady.Spec(
        port=port,
        request=request(port, ask.body(versions.MODEL)),
        stream=request(port, ask.body(versions.MODEL, stream=True)),
        chunks=CHUNKS,
        seconds=seconds,
        per_s=PER_S,
        stream_each=STREAM_EACH,
    )


def request(port: int, body: bytes) -> str:
    lines = [
        f"POST {PATH} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Authorization: Bearer {TOKEN}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines) + "\r\n\r\n" + body.decode()

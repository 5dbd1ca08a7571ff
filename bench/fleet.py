"""Pins on a fleet of one machine: confirmed by all, over real proxies and simulated watchers.

For every size there are two fleets, one after the other: ours, and as many bare watchers under the
same operator (bare.py), so that a figure has a reference from the same minutes.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from bench import machine, members, pins, versions
from bench.members import Kind
from bench.sidecar import ROOT, environment
from bench.store_server import IN_MEMORY, StoreServer
from proxy.errors import ProxyError
from proxy.store.url import open_store
from proxy.versions.record import VersionInfo

Facts = dict[str, Any]

FLOORS = {Kind.PROXY: Kind.BARE_PROCESS, Kind.WATCHER: Kind.BARE}

COMMAND_LIMIT_S = 30.0

# Half of it at least: by then a fleet has saved and announced what it switched to.
GAP_S = 1.0
# A bare watcher has nothing to do afterwards.
FLOOR_GAP_S = 0.3


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """`proxies` and `watchers` are the sizes to measure. `commands`: how often `proxyctl pin` is
    run as a command of its own; `gap_s` is the mean pause between two pins."""

    proxies: tuple[int, ...]
    watchers: tuple[int, ...]
    pins: int
    rounds: int
    commands: int = 10
    gap_s: float = GAP_S


def run(plan: FleetPlan, out: Path) -> None:
    """Measure every fleet `rounds` times. A failure is recorded, and the others go on."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fleets = [
        *((Kind.PROXY, count) for count in plan.proxies),
        *((Kind.WATCHER, count) for count in plan.watchers),
    ]
    with out.open("a") as lines:
        _write(lines, machine.header())
        for number in range(1, plan.rounds + 1):
            for kind, count in fleets:
                record = {"round": number, "target": kind.of(count), "kind": "fleet"}
                record |= _both(plan, kind, count)
                _write(lines, record)


def _write(lines: TextIO, record: Facts) -> None:
    print(json.dumps(record), file=lines, flush=True)


def _both(plan: FleetPlan, kind: Kind, count: int) -> Facts:
    found: Facts = {}
    for part, one in (("pins", kind), ("floor", FLOORS[kind])):
        try:
            found[part] = asyncio.run(_fleet(plan, one, count))
            print(f"{one.of(count)}: {pins.quantities(found[part])}", flush=True)
        except (OSError, RuntimeError, ProxyError) as error:
            found[part] = {"error": f"{type(error).__name__}: {error}"[:500]}
            print(f"{one.of(count)}: {found[part]['error']}", flush=True)
    return found


async def _fleet(plan: FleetPlan, kind: Kind, count: int) -> Facts:
    with (
        tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder,
        StoreServer(Path(folder, "store"), keeps=IN_MEMORY) as server,
    ):
        store = open_store(server.url)
        try:
            known = await versions.register(store, plan.pins + plan.commands)
            async with members.crew(kind, count, store, server.url, Path(folder)) as crew:
                gap_s = plan.gap_s if kind in FLOORS else min(plan.gap_s, FLOOR_GAP_S)
                found = await pins.series(store, server, crew, known[: plan.pins], gap_s)
                if kind is Kind.PROXY:
                    found |= await _as_commands(Path(folder), server, known[plan.pins :])
                return found
        finally:
            await store.close()


async def _as_commands(folder: Path, server: StoreServer, known: Sequence[VersionInfo]) -> Facts:
    """Pin as a person does: from the command's start to its end, the interpreter's included."""
    if not known:
        return {}
    (folder / "empty.toml").write_text("")
    took_ms, elapsed_ms = [], []
    for info in known:
        began = time.monotonic()
        told = await asyncio.to_thread(_command, folder, server.url, f"v{info.number}")
        took_ms.append((time.monotonic() - began) * 1000)
        elapsed_ms.append(told["elapsed_ms"])
        await asyncio.sleep(0.3)
    return {
        "command_ms": statistics.median(took_ms),
        "command_elapsed_ms": statistics.median(elapsed_ms),
    }


def _command(folder: Path, url: str, reference: str) -> Facts:
    proxyctl = str(Path(sys.executable).parent / "proxyctl")
    told = subprocess.run(
        [proxyctl, "--json", "--store", url, "pin", versions.MODEL, reference, "--as", "bench"],
        env=environment(folder / "empty.toml"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT_S,
        check=False,
    )
    if told.returncode:
        raise RuntimeError(f"proxyctl pin: {told.stderr or told.stdout}"[:400])
    answer: Facts = json.loads(told.stdout)
    return answer

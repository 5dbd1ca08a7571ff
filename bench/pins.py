"""A series of pins on a running fleet: how long each took to be confirmed by all, and what for.

What is measured is what `proxyctl pin` does once it has started; `elapsed_ms` is its own figure,
from the sending of the swap to the last confirmation.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import machine
from bench.members import Crew, Kind
from bench.store_server import StoreServer
from bench.streams import percentile
from bench.versions import MODEL
from proxy.control.act import Act, PinReport, wanted
from proxy.control.confirm import Wait, confirm
from proxy.control.pin import Want, pin
from proxy.store.base import Change, Order, Store
from proxy.versions.record import PROD, VersionInfo

Facts = dict[str, Any]

# Watched before the first pin, to know what polls and leases cost without any.
IDLE_S = 3.0

# A fleet of which somebody never confirms would take the whole wait for each pin.
MOST_UNCONFIRMED = 3


@dataclass(frozen=True, slots=True)
class One:
    """One pin. `prepared_ms` is how long the fleet took to be ready for the swap, `elapsed_ms` from
    the swap to the last confirmation, `whole_ms` all of it, the reading of versions and members
    included."""

    prepared_ms: float
    elapsed_ms: float
    whole_ms: float
    cpu_us: float
    confirmed: int
    of: int


@dataclass(frozen=True, slots=True)
class Used:
    """CPU times up to a moment: of the store, of each process of the crew, of the machine."""

    at_s: float
    store_us: float
    members_us: tuple[float, ...]
    machine_us: float

    @classmethod
    def now(cls, server: StoreServer, crew: Crew) -> Used:
        return cls(
            time.monotonic(),
            machine.cpu_us([server.pid]),
            tuple(machine.cpu_us(machine.tree(pid)) for pid in crew.pids),
            machine.all_busy_us(),
        )


Pinning = Callable[[Store, VersionInfo, str], Awaitable[PinReport]]


async def as_proxyctl(store: Store, info: VersionInfo, operation: str) -> PinReport:
    want = Want(MODEL, f"v{info.number}")
    return await pin(store, [want], Act("bench", operation), Wait())


async def swapped_only(store: Store, info: VersionInfo, operation: str) -> PinReport:
    """Swap and confirm without anything before: nobody is there who could prepare."""
    before = await store.members()
    change = Change(MODEL, PROD, info.id, info.digest)
    started_s = asyncio.get_running_loop().time()
    swapped = await store.swap(Order((change,), operation, "bench"))
    confirmation = await confirm(
        store,
        swapped.epoch,
        wanted(swapped.moved),
        Wait(),
        before=before,
        started_s=started_s,
    )
    return PinReport(swapped, confirmation, operation)


async def series(
    store: Store,
    server: StoreServer,
    crew: Crew,
    versions: Sequence[VersionInfo],
    gap_s: float,
) -> Facts:
    """Pin one version after the other, each once the fleet is at rest again."""
    idle = [Used.now(server, crew)]
    await asyncio.sleep(IDLE_S)
    idle.append(Used.now(server, crew))
    pinning = as_proxyctl if crew.kind in (Kind.PROXY, Kind.WATCHER) else swapped_only
    own = time.process_time_ns()
    found = []
    for info in versions:
        found.append(await _one(store, pinning, info))
        require_most(found)
        # Not in step with the fleet's polls and leases.
        await asyncio.sleep(gap_s * random.uniform(0.5, 1.5))
    own_us = (time.process_time_ns() - own) / 1000
    spent = costs(idle, [idle[-1], Used.now(server, crew)], len(crew.names), len(found), own_us)
    return {**times(found), **spent}


def require_most(found: Sequence[One]) -> None:
    """Raises `RuntimeError` when too many pins were not confirmed by all."""
    short = [one for one in found if one.confirmed < one.of]
    if len(short) > MOST_UNCONFIRMED:
        raise RuntimeError(f"{short[-1].confirmed} of {short[-1].of} confirmed, time and again")


async def _one(store: Store, pinning: Pinning, info: VersionInfo) -> One:
    began, cpu = time.monotonic(), time.process_time_ns()
    report = await pinning(store, info, f"pin-{info.number}")
    confirmation = report.confirmation
    return One(
        prepared_ms=report.preparation.elapsed_ms,
        elapsed_ms=confirmation.elapsed_ms,
        whole_ms=(time.monotonic() - began) * 1000,
        cpu_us=(time.process_time_ns() - cpu) / 1000,
        confirmed=confirmation.confirmed,
        of=len(confirmation.proxies),
    )


def times(found: Sequence[One]) -> Facts:
    """Sum up a series. `unconfirmed` counts the pins that not everybody confirmed."""
    elapsed = [one.elapsed_ms for one in found]
    prepared = [one.prepared_ms for one in found]
    whole = [one.whole_ms for one in found]
    return {
        "pins": len(found),
        "members": max(one.of for one in found),
        "unconfirmed": sum(one.confirmed < one.of for one in found),
        "p50_ms": percentile(elapsed, 0.5),
        "p95_ms": percentile(elapsed, 0.95),
        "p99_ms": percentile(elapsed, 0.99),
        "max_ms": max(elapsed),
        "prepared_p50_ms": percentile(prepared, 0.5),
        "prepared_p99_ms": percentile(prepared, 0.99),
        "whole_p50_ms": percentile(whole, 0.5),
        "whole_p99_ms": percentile(whole, 0.99),
        "operator_us": statistics.median(one.cpu_us for one in found),
    }


def costs(
    idle: Sequence[Used], busy: Sequence[Used], members: int, pins: int, own_us: float
) -> Facts:
    """Return the CPU time of a pin beyond what the fleet uses at rest, and what it uses at rest.

    A process that holds several members counts for each of them with its share.
    """
    rest_s, took_s = (pair[1].at_s - pair[0].at_s for pair in (idle, busy))
    share = members / max(1, len(busy[0].members_us))
    store_rest = (idle[1].store_us - idle[0].store_us) / rest_s
    rest = [(b - a) / rest_s for a, b in zip(idle[0].members_us, idle[1].members_us, strict=True)]
    store = busy[1].store_us - busy[0].store_us
    each = [b - a for a, b in zip(busy[0].members_us, busy[1].members_us, strict=True)]
    above = [used - per_s * took_s for used, per_s in zip(each, rest, strict=True)]
    strangers = busy[1].machine_us - busy[0].machine_us - store - sum(each) - own_us
    return {
        "store_us": (store - store_rest * took_s) / pins,
        "member_us": statistics.median(above) / share / pins,
        "rest_store_us_s": store_rest,
        "rest_member_us_s": statistics.median(rest) / share,
        "noise": max(0.0, strangers) / (took_s * 1e6 * machine.cpus()),
    }


def quantities(facts: Mapping[str, Any]) -> str:
    """Say in a line what a series showed."""
    return (
        f"p50 {facts['p50_ms']:.1f} p95 {facts['p95_ms']:.1f} p99 {facts['p99_ms']:.1f} "
        f"max {facts['max_ms']:.1f} ms, prepared p50 {facts['prepared_p50_ms']:.1f} "
        f"p99 {facts['prepared_p99_ms']:.1f} ms; CPU us/pin store {facts['store_us']:.0f}, "
        f"member {facts['member_us']:.0f}, operator {facts['operator_us']:.0f}; "
        f"at rest us/s store {facts['rest_store_us_s']:.0f}, member "
        f"{facts['rest_member_us_s']:.0f}; unconfirmed {facts['unconfirmed']}, "
        f"noise {facts['noise']:.0%}"
    )

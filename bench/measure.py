"""The measurements of one target in one round. Each returns what goes into the results file.

small   about 1.2 KB: 32 connections (CPU time and throughput), then one (added latency)
large   1 MB, 4 connections
stream  200 streams of 64 chunks at 20 ms: CPU time a chunk, delay of the first and of each
memory  1,000 streams held open at two chunks a second: resident memory of each
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from bench import ask, machine, streams, wrk
from bench.plan import Plan
from bench.reading import Reading
from bench.targets import Target, complaint
from bench.vendor import CHUNKS, INTERVAL_MS, Vendor

Facts = dict[str, Any]

# Above this a run is repeated, at most so often; the quietest is kept. It selects on noise alone.
NOISE_LIMIT = 0.05
TRIES = 3

STREAM_SPREAD_S = CHUNKS * INTERVAL_MS / 1000

# A held stream takes four seconds, long enough for a thousand of them to be open at once.
HELD_INTERVAL_MS = 500
HELD_CHUNKS = 8
HELD_SPREAD_S = 1.5

# How long nothing is asked, to see what a target does unasked.
IDLE_S = 3
# A proxy answers apps before all of it is there: what an operator may ask for is imported later.
SETTLE_S = 3


def small(plan: Plan, vendor: Vendor, target: Target) -> Facts:
    answer = target.ask()
    if wrong := complaint(target.spec, answer, vendor.last_body()):
        raise RuntimeError(wrong)
    pids = target.pids()
    found: Facts = {"startup_s": target.startup_s, "rss_idle_kb": machine.rss_kb(pids)}
    body = target.body()
    _warm(plan, target, body)
    found["c32"] = _quietest(
        plan,
        lambda: wrk.measured(plan, vendor, target, body, connections=32, seconds=plan.small_s),
    )
    found["rss_kb"] = machine.rss_kb(target.pids())
    machine.wait_until_quiet(plan.cpus, plan.quiet_s)
    direct = wrk.run(
        plan,
        f"{vendor.url}/v1/chat/completions",
        wrk.Sent(target.headers, body, connections=1, seconds=2),
    )
    vendor.direct += direct.requests
    alone = wrk.measured(plan, vendor, target, body, connections=1, seconds=plan.latency_s)
    found |= {"direct": asdict(direct), "c1": alone}
    for share in ("p50_us", "p99_us"):
        found[f"added_{share}"] = alone[share] - getattr(direct, share)
    return found


def large(plan: Plan, vendor: Vendor, target: Target) -> Facts:
    body = target.body(large_bytes=ask.LARGE_BYTES)
    answer = target.ask(large_bytes=ask.LARGE_BYTES)
    if wrong := complaint(target.spec, answer, vendor.last_body()):
        raise RuntimeError(wrong)
    url = f"http://127.0.0.1:{target.port}{target.spec.path}"
    wrk.run(plan, url, wrk.Sent(target.headers, body, connections=4, seconds=1))
    found = _quietest(
        plan,
        lambda: wrk.measured(plan, vendor, target, body, connections=4, seconds=plan.large_s),
    )
    return {**found, "rss_kb": machine.rss_kb(target.pids())}


def stream(plan: Plan, vendor: Vendor, target: Target) -> Facts:
    direct = play(plan, target, vendor.port, "/v1/chat/completions", (plan.streams, 3.0))
    vendor.direct += direct["whole"] + sum(direct["wrong"].values())
    play(plan, target, target.port, target.spec.path, (4, 1.0))
    found = _quietest(plan, lambda: _streams(plan, vendor, target))
    for share in ("p50_us", "p99_us"):
        if found[f"ttft_{share}"] is not None:
            found[f"added_ttft_{share}"] = found[f"ttft_{share}"] - direct[f"ttft_{share}"]
    return {**found, "direct": direct}


def _streams(plan: Plan, vendor: Vendor, target: Target) -> Facts:
    before = Reading.take(plan, vendor, target)
    found = play(plan, target, target.port, target.spec.path, (plan.streams, plan.stream_s))
    spent = Reading.take(plan, vendor, target).since(before, found["took_s"] * 1e6)
    return {**found, **spent, "cpu_us_chunk": spent["used_us"] / max(1, found["chunks"])}


def memory(plan: Plan, vendor: Vendor, target: Target) -> Facts:
    """Hold streams open. Run it first: memory that an earlier load left would hide growth."""
    time.sleep(SETTLE_S)
    used = machine.cpu_us(target.pids())
    time.sleep(IDLE_S)
    idle_us = machine.cpu_us(target.pids()) - used
    before = machine.rss_kb(target.pids())
    vendor.set_pace(HELD_INTERVAL_MS, HELD_CHUNKS)
    try:
        with _peak_rss_kb(target) as peak:
            spec = _spec(target, target.port, target.spec.path, HELD_CHUNKS)
            held = {
                "streams": plan.held_streams,
                "seconds": HELD_SPREAD_S,
                "spread_s": HELD_SPREAD_S,
            }
            found = _run_client(plan, {**spec, **held})
    finally:
        vendor.set_pace(INTERVAL_MS, CHUNKS)
    return {
        "idle_us_per_s": idle_us / IDLE_S,
        "rss_idle_kb": before,
        "rss_peak_kb": peak[0],
        "rss_stream_kb": (peak[0] - before) / plan.held_streams,
        "whole": found["whole"],
        "wrong": found["wrong"],
    }


MODES: dict[str, Callable[[Plan, Vendor, Target], Facts]] = {
    "memory": memory,
    "small": small,
    "stream": stream,
    "large": large,
}


def _warm(plan: Plan, target: Target, body: bytes) -> None:
    url = f"http://127.0.0.1:{target.port}{target.spec.path}"
    wrk.run(plan, url, wrk.Sent(target.headers, body, connections=32, seconds=plan.warm_s))


def _quietest(plan: Plan, measured: Callable[[], Facts]) -> Facts:
    tries: list[Facts] = []
    while len(tries) < TRIES:
        machine.wait_until_quiet(plan.cpus, plan.quiet_s)
        tries.append(measured())
        if _noise(tries[-1]) < NOISE_LIMIT:
            break
    quietest = min(tries, key=_noise)
    return {**quietest, "tries": len(tries)}


def _noise(found: Facts) -> float:
    return float(found["noise"] + found["load_noise"])


def play(plan: Plan, target: Target, port: int, path: str, load: tuple[int, float]) -> Facts:
    """Play (streams, seconds) at the usual pace."""
    count, seconds = load
    spread = {"streams": count, "seconds": seconds, "spread_s": min(seconds, STREAM_SPREAD_S)}
    return _run_client(plan, {**_spec(target, port, path, CHUNKS), **spread})


def _spec(target: Target, port: int, path: str, chunks: int) -> Facts:
    body = target.body(stream=True)
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Accept: text/event-stream",
        *(f"{name}: {value}" for name, value in target.headers.items()),
        f"Content-Length: {len(body)}",
    ]
    return {
        "port": port,
        "request": "\r\n".join(lines) + "\r\n\r\n" + body.decode(),
        "chunks": chunks,
    }


def _run_client(plan: Plan, spec: Facts) -> Facts:
    told = subprocess.run(
        [*machine.pinned(plan.load_cpu, plan.nice), sys.executable, "-m", "bench.streams"],
        input=json.dumps(asdict(streams.Spec(**spec))),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if told.returncode:
        raise RuntimeError(told.stderr[-2000:])
    found: Facts = json.loads(told.stdout)
    return found


@contextmanager
def _peak_rss_kb(target: Target) -> Iterator[list[int]]:
    """Watch the target's memory every 100 ms; the list's one item is the most that was seen."""
    pids = target.pids()
    peak = [machine.rss_kb(pids)]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            peak[0] = max(peak[0], machine.rss_kb(pids))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()

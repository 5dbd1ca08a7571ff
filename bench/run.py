"""Run the plan: rounds of all targets, interleaved, a line of JSON for each target and round."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.measure import MODES
from bench.plan import Plan
from bench.targets import Spec, Target
from bench.vendor import Vendor

# A request is logged once it is over: what was in the air when wrk stopped may lack its line.
LOG_TOLERANCE = 0.01


def run(plan: Plan, specs: Sequence[Spec], modes: Sequence[str], rounds: int, out: Path) -> None:
    """Measure every target `rounds` times. A failure is recorded, and the others go on."""
    _prepare_harness(plan)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as lines:
        print(json.dumps(machine.header()), file=lines, flush=True)
        for number in range(1, rounds + 1):
            for spec in specs:
                record = {"round": number, **_one(plan, spec, modes)}
                print(json.dumps(record), file=lines, flush=True)
                print(number, one_line(record), flush=True)


def _prepare_harness(plan: Plan) -> None:
    os.sched_setaffinity(0, {plan.load_cpu})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _one(plan: Plan, spec: Spec, modes: Sequence[str]) -> dict[str, Any]:
    record: dict[str, Any] = {"target": spec.name, "kind": spec.kind}
    try:
        with Vendor(plan) as vendor, Target(plan, spec, vendor.url) as target:
            for mode in modes:
                if not spec.modes or mode in spec.modes:
                    record[mode] = _measured(plan, mode, vendor, target)
            record["log"] = _log_facts(vendor, target)
    except (OSError, RuntimeError) as error:
        record["error"] = f"{type(error).__name__}: {error}"[:500]
    return record


def _measured(plan: Plan, mode: str, vendor: Vendor, target: Target) -> dict[str, Any]:
    try:
        return MODES[mode](plan, vendor, target)
    except Exception as error:  # whatever a foreign program does, the other modes go on
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def _log_facts(vendor: Vendor, target: Target) -> dict[str, Any]:
    """Compare the target's log with what the vendor saw: all features on includes the log."""
    if not target.spec.log_event:
        return {}
    time.sleep(0.2)
    lines, requests = target.log_lines(), vendor.requests() - vendor.direct
    complete = abs(lines - requests) <= LOG_TOLERANCE * requests
    return {"lines": lines, "requests": requests, "complete": complete}


def one_line(record: dict[str, Any]) -> str:
    """Sum up one record for whoever watches the run."""
    told = [record["target"], record.get("error", "")]
    small, stream, large, memory = (
        record.get(mode, {}) for mode in ("small", "stream", "large", "memory")
    )
    if "c32" in small:
        c32 = small["c32"]
        told.append(f"{c32['per_s']:.0f}/s {c32['cpu_us']:.1f} us, +{small['added_p50_us']} us,")
        told.append(f"noise {c32['noise'] + c32['load_noise']:.1%};")
    if "cpu_us_chunk" in stream:
        told.append(f"chunk {stream['cpu_us_chunk']:.1f} us, wrong {stream['wrong']};")
    if "cpu_us" in large:
        told.append(f"1 MB {large['cpu_us']:.0f} us;")
    if "rss_stream_kb" in memory:
        told.append(f"{memory['rss_idle_kb'] / 1024:.0f} MB + {memory['rss_stream_kb']:.1f} KB;")
    told += [f"{mode}: {facts['error']}" for mode, facts in record.items() if _failed(facts)]
    return " ".join(filter(None, told))


def _failed(facts: object) -> bool:
    return isinstance(facts, dict) and "error" in facts

"""Run wrk on the load generator's CPU, and read what it found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.plan import Plan
from bench.reading import Reading
from bench.targets import Target
from bench.vendor import Vendor

SCRIPT = r"""
wrk.method = "POST"
local file = io.open(os.getenv("BENCH_BODY"), "rb"); wrk.body = file:read("*a"); file:close()
for line in io.lines(os.getenv("BENCH_HEADERS")) do
  local name, value = line:match("^([^:]+): (.*)$"); wrk.headers[name] = value
end
function done(s, l, r)
  io.write(string.format(
    'JSON {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,"not_2xx":%d,"broken":%d}\n',
    s.requests, s.duration, l:percentile(50), l:percentile(99), l.max, s.errors.status,
    s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk counted. `broken` are connections that failed, `not_2xx` other statuses."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    max_us: int
    not_2xx: int
    broken: int

    @property
    def good(self) -> int:
        return max(1, self.requests - self.not_2xx)

    @property
    def per_s(self) -> float:
        return self.good / (self.duration_us / 1e6)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run sends: one body, many times."""

    headers: Mapping[str, str]
    body: bytes
    connections: int
    seconds: int


def run(plan: Plan, url: str, sent: Sent) -> Run:
    """Load `url` for a while. Raises `RuntimeError` with wrk's own words."""
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder:
        body, headers, script = (Path(folder, name) for name in ("body", "headers", "script.lua"))
        body.write_bytes(sent.body)
        headers.write_text("".join(f"{k}: {v}\n" for k, v in sent.headers.items()))
        script.write_text(SCRIPT)
        told = subprocess.run(
            [
                *machine.pinned(plan.load_cpu, plan.nice),
                *("wrk", "-t1", f"-c{sent.connections}", f"-d{sent.seconds}s"),
                *("--timeout", "20s", "-s", str(script), url),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "BENCH_BODY": str(body), "BENCH_HEADERS": str(headers)},
        )
    return parse(told.stdout, told.stderr)


def parse(output: str, errors: str = "") -> Run:
    """Read the line that the script printed."""
    found = re.search(r"^JSON (.*)$", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk said: {output}{errors}")
    return Run(**json.loads(found[1]))


def measured(
    plan: Plan, vendor: Vendor, target: Target, body: bytes, *, connections: int, seconds: int
) -> dict[str, Any]:
    """Load a target; count its CPU time, and what strangers took.

    `counted` says that the vendor saw what wrk got answers for:
    wrk stops with up to one request a connection in the air.
    """
    url = f"http://127.0.0.1:{target.port}{target.spec.path}"
    before = Reading.take(plan, vendor, target)
    found = run(plan, url, Sent(target.headers, body, connections, seconds))
    after = Reading.take(plan, vendor, target)
    spent = after.since(before, found.duration_us)
    seen = after.vendor_requests - before.vendor_requests
    return {
        **asdict(found),
        **spent,
        "cpu_us": spent["used_us"] / found.good,
        "per_s": found.per_s,
        "vendor_requests": seen,
        "counted": abs(seen - found.requests) <= connections + 2,
    }

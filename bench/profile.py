"""Sample where a target's CPU time goes under load.

    python -m bench profile --mode small                  by function: py-spy
    python -m bench profile --mode small --by library     kernel, interpreter, parser, …: perf

Both only look on; py-spy stops its target for a moment at each look, so shares are worth more
than times.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench import machine, measure, wrk
from bench.ask import LARGE_BYTES
from bench.plan import Plan
from bench.targets import Spec, Target
from bench.vendor import Vendor

SHOWN = 40

Sampler = Callable[[Target, int, Path], tuple[list[str], Callable[[], str]]]
"""Takes a target, seconds and a folder; gives a command, and what reads the result afterwards."""


def by_function(target: Target, seconds: int, folder: Path) -> tuple[list[str], Callable[[], str]]:
    return _spy(target, seconds, folder, "--function")


def by_line(target: Target, seconds: int, folder: Path) -> tuple[list[str], Callable[[], str]]:
    return _spy(target, seconds, folder)


def by_c_function(
    target: Target, seconds: int, folder: Path
) -> tuple[list[str], Callable[[], str]]:
    return _spy(target, seconds, folder, "--function", "--native")


def _spy(
    target: Target, seconds: int, folder: Path, *options: str
) -> tuple[list[str], Callable[[], str]]:
    stacks = folder / "stacks"
    command = [_tool("py-spy"), "record", "--pid", str(target.pid), "--duration", str(seconds)]
    command += ["--rate", "500", "--threads", "--format", "raw", "--output", str(stacks), *options]
    return command, lambda: table(stacks.read_text())


def by_library(target: Target, seconds: int, folder: Path) -> tuple[list[str], Callable[[], str]]:
    samples, perf = folder / "samples", _tool("perf")
    pids = ",".join(map(str, target.pids()))
    command = [perf, "record", "-q", "-F", "2000", "-p", pids, "-o", str(samples)]
    command += ["--", "sleep", str(seconds)]

    def read() -> str:
        report = [perf, "report", "-i", str(samples), "--sort", "dso", "--stdio", "-q"]
        return subprocess.run(report, capture_output=True, text=True, check=True).stdout

    return command, read


SAMPLERS: dict[str, Sampler] = {
    "function": by_function,
    "line": by_line,
    "c-function": by_c_function,
    "library": by_library,
}


def profile(plan: Plan, spec: Spec, mode: str, seconds: int, by: str) -> None:
    """Load a target, sample it meanwhile, and print the shares."""
    with (
        Vendor(plan) as vendor,
        Target(plan, spec, vendor.url) as target,
        tempfile.TemporaryDirectory(prefix="bench-profile-") as folder,
    ):
        command, read = SAMPLERS[by](target, seconds, Path(folder))
        with subprocess.Popen(command) as sampling:
            _load(plan, target, mode, seconds + 1)
            sampling.wait()
        print(read())


def _tool(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else machine.find_tool(name)
    if found is None:
        raise SystemExit(f"{name} is missing (py-spy: pip install py-spy; perf: linux-perf)")
    return found


def _load(plan: Plan, target: Target, mode: str, seconds: int) -> None:
    if mode == "stream":
        measure.play(plan, target, target.port, target.spec.path, (plan.streams, seconds))
        return
    large = mode == "large"
    body = target.body(large_bytes=LARGE_BYTES if large else 0)
    url = f"http://127.0.0.1:{target.port}{target.spec.path}"
    wrk.run(plan, url, wrk.Sent(target.headers, body, 4 if large else 32, seconds))


def table(stacks: str) -> str:
    """Sum up the main thread's stacks (`thread;a;b;c COUNT`): samples on top, and anywhere.

    Other threads wait, which py-spy cannot always tell from work.
    """
    on_top: Counter[str] = Counter()
    anywhere: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if "MainThread" not in thread or not frames:
            continue
        on_top[frames[-1]] += int(count)
        for frame in set(frames):
            anywhere[frame] += int(count)
    total = sum(on_top.values()) or 1
    by_area: Counter[str] = Counter()
    for frame, samples in on_top.items():
        by_area[area(frame)] += samples
    rows = [f"{'on top':>7} {'within':>7}  function ({total} samples)"]
    for frame, samples in on_top.most_common(SHOWN):
        rows.append(f"{samples / total:7.1%} {anywhere[frame] / total:7.1%}  {frame}")
    rows += ["", f"{'on top':>7}  package (C code counts where it was called from)"]
    rows += [f"{samples / total:7.1%}  {name}" for name, samples in by_area.most_common()]
    return "\n".join(rows)


def area(frame: str) -> str:
    """Return the package of a frame such as `send (proxy/http/upstream.py:94)`."""
    found = re.search(r"\((proxy/[^/:]+)", frame)
    if found is not None:
        return found[1]
    return "event loop" if "asyncio/" in frame else "other"

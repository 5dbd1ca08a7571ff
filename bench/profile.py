"""Sample where a target's CPU time goes under load: py-spy, which does not slow what it watches.

python -m bench profile --mode small
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench import machine, measure, wrk
from bench.ask import LARGE_BYTES
from bench.plan import Plan
from bench.targets import Spec, Target
from bench.vendor import Vendor

SHOWN = 40


def profile(plan: Plan, spec: Spec, mode: str, seconds: int, options: list[str]) -> None:
    """Print what has the most samples: on top of the stack, and anywhere in it.

    `options` are py-spy's: `--function` sums up by function instead of by line, `--native`
    samples C frames too (and slows the target down).
    """
    spy = machine.find_tool(str(Path(sys.executable).parent / "py-spy")) or machine.find_tool(
        "py-spy"
    )
    if spy is None:
        raise SystemExit("py-spy is missing: pip install py-spy")
    with (
        Vendor(plan) as vendor,
        Target(plan, spec, vendor.url) as target,
        tempfile.TemporaryDirectory(prefix="bench-spy-") as folder,
    ):
        out = Path(folder, "stacks")
        command = [spy, "record", "--pid", str(target.pid), "--duration", str(seconds)]
        command += ["--rate", "500", "--threads", "--format", "raw", "--output", str(out)]
        with subprocess.Popen([*command, *options]) as sampling:
            _load(plan, target, mode, seconds + 1)
            sampling.wait()
        print(table(out.read_text()))


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
    rows = [f"{'on top':>7} {'within':>7}  function ({total} samples)"]
    for frame, samples in on_top.most_common(SHOWN):
        rows.append(f"{samples / total:7.1%} {anywhere[frame] / total:7.1%}  {frame}")
    return "\n".join(rows)

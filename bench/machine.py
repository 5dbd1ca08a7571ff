"""What this machine says: CPU time and memory of a process tree, and what else was running.

CPU time is the kernel's per-process clock (nanoseconds, ended threads included), not the 10 ms
ticks of /proc: at a few percent load those would be the result.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024

# A clock id that means "CPU time of this process"; see clock_getcpuclockid(3).
_CPUCLOCK_SCHED = 2


def tree(pid: int) -> list[int]:
    """Return `pid` and all that descends from it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := _parent(int(entry))) is not None:
            children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command stands in parentheses and may hold any character, blanks and ")" included.
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def cpu_us(pids: Iterable[int]) -> float:
    """Return the CPU time that the processes have used, user and system, in microseconds."""
    used = 0
    for pid in pids:
        try:
            used += time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
        except OSError:
            continue
    return used / 1000


def rss_kb(pids: Iterable[int]) -> int:
    """Return the resident memory of the processes; shared pages count once for each."""
    pages = 0
    for pid in pids:
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * PAGE_KB


def busy_us(cpu: int) -> float:
    """Return how long `cpu` has not been idle since boot, in microseconds (10 ms steps)."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{cpu} "):
            ticks = [int(field) for field in line.split()[1:9]]
            return (sum(ticks) - ticks[3] - ticks[4]) * 1e6 / TICKS_PER_S
    raise RuntimeError(f"this machine has no CPU {cpu}")


def all_busy_us() -> float:
    """Return how long all CPUs together have not been idle since boot, in microseconds."""
    return sum(busy_us(cpu) for cpu in range(cpus()))


def cpus() -> int:
    return os.cpu_count() or 1


def own_cpu_us() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    times = os.times()
    return (times.user + times.system + times.children_user + times.children_system) * 1e6


def wait_until_quiet(cpus: Iterable[int], limit_s: float) -> bool:
    """Wait, at most `limit_s`, for a second in which no CPU is over 6 % busy."""
    watched = list(cpus)
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        before = [busy_us(cpu) for cpu in watched]
        time.sleep(1)
        if all(busy_us(cpu) - was < 60_000 for cpu, was in zip(watched, before, strict=True)):
            return True
    return False


def pinned(cpu: int, nice: int) -> list[str]:
    """Return the words that go before a command to run it on one CPU."""
    words = ["taskset", "-c", str(cpu)]
    return ["nice", "-n", str(nice), *words] if nice else words


def find_tool(name: str) -> str | None:
    """Find a program, also where only root's PATH looks (nginx, haproxy)."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def header() -> dict[str, Any]:
    """Return the line of a results file that says where and when its figures were taken."""
    return {"machine": description(), "at": time.strftime("%Y-%m-%d %H:%M")}


def description() -> dict[str, str]:
    """Describe the machine in the words of a results file."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if "model name" in line),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cpus": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": _nginx_version(),
        "redis": _redis_version(),
    }


def _redis_version() -> str:
    redis = find_tool("redis-server")
    if redis is None:
        return ""
    told = subprocess.run([redis, "--version"], capture_output=True, text=True, check=False)
    return told.stdout.partition("v=")[2].partition(" ")[0]


def _nginx_version() -> str:
    nginx = find_tool("nginx")
    if nginx is None:
        return ""
    told = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False)
    return told.stderr.strip().rpartition("/")[2]

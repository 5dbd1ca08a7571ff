"""How a run is done: which CPUs, how long, how many. One frozen value, made from the flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """`work` keeps the built vendor; `peers` is where other gateways were installed, if at all."""

    work: Path
    peers: Path
    target_cpu: int = 0
    load_cpu: int = 1
    nice: int = 0
    warm_s: int = 3
    small_s: int = 8
    latency_s: int = 4
    large_s: int = 4
    stream_s: float = 6.0
    streams: int = 200
    held_streams: int = 1000
    quiet_s: float = 15.0
    keep: bool = False

    @property
    def cpus(self) -> tuple[int, int]:
        return self.target_cpu, self.load_cpu

"""What the counters stand at, before and after a measurement."""

from __future__ import annotations

from dataclasses import dataclass

from bench import machine
from bench.plan import Plan
from bench.targets import Target
from bench.vendor import Vendor


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU times of the target, of the load (vendor and generators), and of the two CPUs."""

    vendor_requests: int
    target_us: float
    load_us: float
    target_cpu_us: float
    load_cpu_us: float

    @classmethod
    def take(cls, plan: Plan, vendor: Vendor, target: Target) -> Reading:
        return cls(
            vendor_requests=vendor.requests(),
            target_us=machine.cpu_us(target.pids()),
            load_us=machine.cpu_us([vendor.pid]) + machine.own_cpu_us(),
            target_cpu_us=machine.busy_us(plan.target_cpu),
            load_cpu_us=machine.busy_us(plan.load_cpu),
        )

    def since(self, before: Reading, took_us: float) -> dict[str, float]:
        """Return what was used since `before`, and which shares of the CPUs strangers took."""
        used = self.target_us - before.target_us
        busy = self.target_cpu_us - before.target_cpu_us
        load_used = self.load_us - before.load_us
        load_busy = self.load_cpu_us - before.load_cpu_us
        return {
            "used_us": used,
            "cpu_share": used / took_us,
            "noise": max(0.0, busy - used) / took_us,
            "load_busy": load_busy / took_us,
            "load_noise": max(0.0, load_busy - load_used) / took_us,
        }

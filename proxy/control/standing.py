"""What a result means: would it pass the gate, and what is different from what prod has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from proxy.control.gate import counterpart, gate_json
from proxy.evals.compare import Comparison, compare
from proxy.evals.judge import Passed, Refused, judge
from proxy.evals.power import Power, power
from proxy.store.base import Store
from proxy.versions.evidence import Gate, Result
from proxy.versions.record import PROD, Pin


@dataclass(frozen=True, slots=True)
class Standing:
    """How a result stands. `gate` None: nothing is asked. `prod` is what prod holds; `before` that
    version's result in the same suite, None if there is none, or if it is this very content.
    `power` is what the comparison can see; None: the gate asks for none."""

    gate: Gate | None
    judged: Passed | Refused | None
    prod: Pin | None
    before: Result | None
    comparison: Comparison | None
    power: Power | None = None

    @property
    def passes(self) -> bool:
        return not isinstance(self.judged, Refused)

    def json(self) -> dict[str, Any]:
        reasons = self.judged.reasons if isinstance(self.judged, Refused) else ()
        return {
            "gate": gate_json(self.gate),
            "passes": self.passes,
            "reasons": [{"code": one.code, "message": one.text} for one in reasons],
            "prod": self.prod.id if self.prod is not None else None,
            "sees": _known(self.power.sees) if self.power is not None else None,
            "repeats_to_see": self.power.repeats if self.power is not None else None,
        }


def _known(number: float) -> float | None:
    return round(number, 4) if math.isfinite(number) else None


async def standing(
    store: Store, result: Result, gate: Gate | None, beside: Result | None = None
) -> Standing:
    """Say how `result` stands with `gate` and with what prod holds now. Neither it nor `beside`, a
    result of what prod holds, need be kept."""
    prod = (await store.pins()).pins.get((result.model, PROD))
    other = prod.digest if prod is not None and prod.digest != result.digest else ""
    before = await _before(store, result, other, beside) if other else None
    judged = judge(gate, result, before, baseline_digest=other) if gate is not None else None
    comparison = compare(before, result) if before is not None else None
    seen = power(gate, before, result) if gate is not None else None
    return Standing(gate, judged, prod, before, comparison, seen)


async def _before(
    store: Store, result: Result, digest: str, beside: Result | None
) -> Result | None:
    if beside is not None and beside.digest == digest:
        return beside
    return await counterpart(store, result, digest)

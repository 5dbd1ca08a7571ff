"""Results, gates and verdicts for the tests of every store."""

from __future__ import annotations

from typing import Any

from proxy.store.base import Store
from proxy.versions.evidence import CaseResult, Drill, Gate, Result, Verdict
from proxy.versions.record import VersionInfo
from tests.contracts.places import MODEL, PROD, operation

SUITE = "sha256:" + "a" * 64
GATE = Gate(SUITE, min_score=0.9, max_regression=0.02, cases=2)


def result(digest: str, score: float = 1.0, **more: Any) -> Result:
    cases = (CaseResult("rain", score, (score,)), CaseResult("snow", score, (score,)))
    return Result(
        MODEL, digest, **{"suite": SUITE, "by": "ada", "score": score, "cases": cases} | more
    )


async def gated(store: Store, gate: Gate | None = GATE, **more: Any) -> None:
    about = {"by": "ada", "reason": "launch", "operation": operation()}
    await store.set_gate(MODEL, gate, **{**about, **more})


async def baseline(store: Store) -> str:
    """Return the digest of what prod holds; empty: nothing."""
    held = (await store.pins()).pins.get(PROD)
    return held.digest if held else ""


async def approved(store: Store, info: VersionInfo, gate: Gate = GATE, **about: Any) -> Verdict:
    """Attach a result and leave a verdict that lets the version through now."""
    kept = result(info.digest)
    await store.attach(kept, operation())
    now = {"baseline": await baseline(store), "result": kept.pointer, "by": "ada"}
    verdict = Verdict(MODEL, info.digest, gate.suite, gate.key, **{**now, **about})
    await store.approve(verdict)
    return verdict


def drill(info: VersionInfo, other: VersionInfo, **more: Any) -> Drill:
    about = {"reverted": True, "rollback_ms": 7.1, "proxies": 2, "by": "ada"}
    return Drill(MODEL, "drill", other.id, info.id, **{**about, **more})

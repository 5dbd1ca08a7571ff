"""Results as scripts read them, and what the history says of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from proxy.evals.summary import interval
from proxy.store.evidence_text import detail_of
from proxy.versions.evidence import Result
from proxy.versions.record import PIN_KINDS, Event, Kind


def result_json(result: Result) -> dict[str, Any]:
    """Return a result whole."""
    return {
        "pointer": result.pointer,
        "suite": result.suite,
        "score": result.score,
        "interval": list(interval(result)),
        "cases": [structs.asdict(case) for case in result.cases],
        "at": result.at,
        "by": result.by,
        "source": result.source,
        "raw": result.raw,
        "simulated": result.simulated,
        "elapsed_ms": result.elapsed_ms,
        "input_tokens": result.input_tokens,
        "output_tokens": result.output_tokens,
    }


@dataclass(frozen=True, slots=True)
class Proof:
    """A result as the history knows it. `approved` are the pins that it let through."""

    pointer: str
    digest: str
    suite: str
    score: float
    cases: int
    source: str
    simulated: bool
    at: str
    by: str
    approved: tuple[Event, ...] = ()

    def json(self) -> dict[str, Any]:
        return {
            "pointer": self.pointer,
            "suite": self.suite,
            "score": self.score,
            "cases": self.cases,
            "source": self.source,
            "simulated": self.simulated,
            "at": self.at,
            "by": self.by,
            "approved": [
                {"label": pin.label, "epoch": pin.epoch, "at": pin.at, "by": pin.by}
                for pin in self.approved
            ],
        }


def proofs(events: Iterable[Event]) -> dict[str, list[Proof]]:
    """Return the results that a model's history (newest first) tells of, by digest, newest first:
    all of its versions at the price of one look."""
    events = list(events)
    pins: dict[str, list[Event]] = {}
    for event in events:
        if event.kind in PIN_KINDS and event.verdict:
            pins.setdefault(event.verdict, []).append(event)
    found: dict[str, list[Proof]] = {}
    for event in events:
        if event.kind is Kind.EVAL and event.digest and event.verdict:
            proof = _proof(event, tuple(pins.get(event.verdict, ())))
            found.setdefault(event.digest, []).append(proof)
    return found


def _proof(event: Event, approved: tuple[Event, ...]) -> Proof:
    """Read an event; what its detail does not tell is left at nothing."""
    detail = detail_of(event.detail)
    told = detail if isinstance(detail, dict) else {}
    return Proof(
        pointer=event.verdict or "",
        digest=event.digest or "",
        suite=str(told.get("suite", "")),
        score=float(told.get("score", 0.0)),
        cases=int(told.get("cases", 0)),
        source=str(told.get("source", "")),
        simulated=bool(told.get("simulated", False)),
        at=event.at,
        by=event.by,
        approved=approved,
    )

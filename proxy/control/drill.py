"""What a rehearsed rollback showed: steps with their times, and the evidence of each proxy. Whether
behaviour reverted is decided here, and does no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.control.probe import summary
from proxy.control.references import Found
from proxy.store.base import MAX_REPORT_BYTES
from proxy.versions.evidence import Drill, Result
from proxy.versions.question import Probed
from proxy.versions.record import Member


@dataclass(frozen=True, slots=True)
class Plan:
    """What is rehearsed: `label` gets `other`, then `held`, which is what prod holds."""

    model: str
    label: str
    other: Found
    held: Found
    live: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a drill: what was done, about which version, in how many milliseconds. Of a swap,
    `prepare_ms` is what came before it, `ms` runs from the swap to the last confirmation."""

    name: str
    ms: float
    version: str = ""
    prepare_ms: float | None = None
    confirmed: int | None = None
    of: int | None = None

    def json(self) -> dict[str, Any]:
        return {
            "step": self.name,
            "version": self.version or None,
            "ms": self.ms,
            "prepare_ms": self.prepare_ms,
            "confirmed": self.confirmed,
            "of": self.of,
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one proxy would have sent: `before` the drill by what prod holds, `there` with the other
    version, `back` at the end; None: it did not say. `ms` is when it confirmed the rollback;
    None: not in time. `complaints` say in words why this is no proof; empty: it is one."""

    member: Member
    before: Probed | None = None
    there: Probed | None = None
    back: Probed | None = None
    ms: float | None = None
    complaints: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        return {
            "name": self.member.name,
            "instance": self.member.instance,
            "release": self.member.release,
            "reverted": not self.complaints,
            "ms": self.ms,
            "complaints": list(self.complaints),
            "before": summary(self.before),
            "there": summary(self.there),
            "back": summary(self.back),
        }


def judged(evidence: Evidence, plan: Plan, telling: frozenset[str]) -> Evidence:
    """Say what is wrong with the evidence. `telling` are the dialects in which the two versions of
    the plan make different bodies."""
    return replace(evidence, complaints=tuple(_complaints(evidence, plan, telling)))


def _complaints(evidence: Evidence, plan: Plan, telling: frozenset[str]) -> Iterator[str]:
    before, there, back = evidence.before, evidence.there, evidence.back
    if evidence.ms is None:
        yield "did not confirm the rollback in time"
    yield from _stamped("before the drill", before, plan.held)
    yield from _stamped("in between", there, plan.other)
    yield from _stamped("after the rollback", back, plan.held)
    if before is None or there is None or back is None:
        return
    if changed := _names(before.bodies, back.bodies, same=False):
        yield f"would send something else than before in {changed}"
    shown = {name: sent for name, sent in there.bodies.items() if name in telling}
    if same := _names(before.bodies, shown, same=True):
        yield f"would have sent the same with both versions in {same}"


def _stamped(when: str, said: Probed | None, wanted: Found) -> Iterator[str]:
    if said is None:
        yield f"did not answer the probe {when}"
    elif said.error:
        yield f"could not answer the probe {when}: {said.error}"
    elif (said.version, said.digest) != (wanted.info.id, wanted.info.digest):
        yield f"answered with {said.version} {when}, not with {wanted.info.id}"


def _names(
    one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]], *, same: bool
) -> str:
    names = one.keys() & other.keys() if same else one.keys() | other.keys()
    return ", ".join(sorted(n for n in names if (one.get(n) == other.get(n)) is same))


# A report has room for so many; the score is over all.
_MOST_CASES = 200


@dataclass(frozen=True, slots=True)
class Rerun:
    """The cases once more: `now` is how the version does, `approved` how it did when it was let to
    prod, None: nobody knows. `words` compare the two, `worse` says that it is not noise."""

    now: Result
    approved: Result | None = None
    words: str = ""
    worse: bool = False

    def json(self) -> dict[str, Any]:
        approved = self.approved
        return {
            "suite": self.now.suite,
            "score": self.now.score,
            "cases": {case.name: case.score for case in self.now.cases[:_MOST_CASES]},
            "simulated": self.now.simulated,
            "approved_score": approved.score if approved else None,
            "approved_result": approved.pointer if approved else None,
            "worse": self.worse,
            "comparison": self.words,
        }


@dataclass(frozen=True, slots=True)
class DrillReport:
    """`confirmed` says whether every proxy confirmed both swaps in time, `skipped` why the cases
    were not run again. `remarks` are what proxies said of the versions when they prepared them."""

    plan: Plan
    by: str
    steps: tuple[Step, ...]
    proxies: tuple[Evidence, ...]
    rollback_ms: float
    confirmed: bool
    samples: int = 1
    rerun: Rerun | None = None
    skipped: str = ""
    remarks: tuple[str, ...] = ()
    at: str = field(default="", compare=False)

    @property
    def reverted(self) -> bool:
        """Whether behaviour went back at every proxy that was live."""
        proven = all(not one.complaints for one in self.proxies)
        return proven and not (self.rerun is not None and self.rerun.worse)

    def json(self) -> dict[str, Any]:
        return {
            "model": self.plan.model,
            "label": self.plan.label,
            "live": self.plan.live,
            "from": self.plan.other.info.id,
            "to": self.plan.held.info.id,
            "reverted": self.reverted,
            "confirmed": self.confirmed,
            "rollback_ms": self.rollback_ms,
            "samples": self.samples,
            "steps": [step.json() for step in self.steps],
            "proxies": [proxy.json() for proxy in self.proxies],
            "evals": self.rerun.json() if self.rerun else None,
            "evals_skipped": self.skipped,
            "remarks": list(self.remarks),
            "by": self.by,
            "at": self.at or None,
        }

    def kept(self) -> str:
        """Return the report as the history keeps it: with the evidence of all proxies, or, if that
        is too much, of those that prove nothing, and of as many others as there is room for."""
        whole = self.json()
        text = json.dumps(whole)
        room = MAX_REPORT_BYTES - (len(text) - len(json.dumps(whole["proxies"])))
        left_out, proxies = 0, []
        for one in sorted(whole["proxies"], key=lambda proxy: proxy["reverted"]):
            room -= len(json.dumps(one)) + 2
            if room < _SPARE_BYTES:
                left_out += 1
            else:
                proxies.append(one)
        return json.dumps({**whole, "proxies": proxies, "proxies_left_out": left_out})

    def drill(self) -> Drill:
        plan = self.plan
        return Drill(
            plan.model,
            plan.label,
            plan.other.info.id,
            plan.held.info.id,
            self.reverted,
            self.rollback_ms,
            len(self.proxies),
            self.by,
        )


# For what is added to a report when it is kept.
_SPARE_BYTES = 256

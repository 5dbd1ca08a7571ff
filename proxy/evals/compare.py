"""Two results side by side: which cases got better or worse, and whether that is noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from proxy.evals import noise
from proxy.evals.summary import scores_of
from proxy.versions.evidence import CaseResult, Result


class Change(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One case. `before` and `after` are scores; None: the case was not there. `certain` says that
    the change is more than noise, as far as repeats tell."""

    name: str
    change: Change
    before: float | None
    after: float | None
    certain: bool
    failed: tuple[str, ...] = ()
    """What failed after, in words."""

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "change": str(self.change),
            "before": self.before,
            "after": self.after,
            "certain": self.certain,
            "failed": list(self.failed),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference` is `after` less `before` over the cases that both have; it lies within
    `interval`, but for one time in twenty. `same_suite`: the two answer the same questions."""

    before: Result
    after: Result
    cases: tuple[CaseChange, ...]
    difference: float
    interval: tuple[float, float]

    @property
    def same_suite(self) -> bool:
        return self.before.suite == self.after.suite

    @property
    def certain(self) -> bool:
        """Whether there is a difference at all that is more than noise."""
        low, high = self.interval
        return low > 0 or high < 0

    def json(self) -> dict[str, Any]:
        return {
            "before": self.before.score,
            "after": self.after.score,
            "difference": self.difference,
            "interval": list(self.interval),
            "certain": self.certain,
            "same_suite": self.same_suite,
            "cases": [case.json() for case in self.cases],
        }


def compare(before: Result, after: Result) -> Comparison:
    """Compare two results case by case: worse ones first, then better ones, then the rest."""
    cases = sorted(_changes(before, after), key=_order)
    old, new = paired(before, after)
    if not old:
        return Comparison(before, after, tuple(cases), 0.0, (-1.0, 1.0))
    difference = noise.mean(new) - noise.mean(old)
    margin = noise.of_difference(old, new).margin(noise.ERROR_RATE / 2)
    bounds = (max(-1.0, difference - margin), min(1.0, difference + margin))
    return Comparison(before, after, tuple(cases), difference, bounds)


def paired(
    before: Result, after: Result
) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """Return the scores of the cases that both have, in the same order."""
    old = dict(zip((case.name for case in before.cases), scores_of(before), strict=True))
    new = dict(zip((case.name for case in after.cases), scores_of(after), strict=True))
    both = [name for name in old if name in new]
    return [old[name] for name in both], [new[name] for name in both]


def _order(case: CaseChange) -> tuple[int, float]:
    rank = {Change.WORSE: 0, Change.GONE: 1, Change.BETTER: 2, Change.NEW: 3, Change.SAME: 4}
    step = (case.after or 0.0) - (case.before or 0.0)
    return rank[case.change], -abs(step)


def _changes(before: Result, after: Result) -> Iterator[CaseChange]:
    old = {case.name: case for case in before.cases}
    new = {case.name: case for case in after.cases}
    runs = [*scores_of(before), *scores_of(after)]
    for name, case in new.items():
        if name not in old:
            yield CaseChange(name, Change.NEW, None, case.score, certain=True, failed=case.failed)
        else:
            yield _change(old[name], case, runs)
    for name, case in old.items():
        if name not in new:
            yield CaseChange(name, Change.GONE, case.score, None, certain=True)


def _change(before: CaseResult, after: CaseResult, runs: list[tuple[float, ...]]) -> CaseChange:
    step = after.score - before.score
    spread = noise.of_case(before.scores or (0.0,), after.scores or (0.0,), runs)
    kind = Change.SAME if step == 0 else Change.BETTER if step > 0 else Change.WORSE
    certain = step == 0 or abs(step) > spread.margin(noise.ERROR_RATE / 2)
    return CaseChange(
        after.name, kind, before.score, after.score, certain=certain, failed=after.failed
    )

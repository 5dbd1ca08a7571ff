"""Whether a version passes its gate. The one place where that is decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proxy.evals import noise
from proxy.evals.compare import Change, compare, paired
from proxy.versions.evidence import CaseResult, Gate, Result

# So many cases are named; a person looks at the first of them first.
NAMED_CASES = 10

# A mean of shares that is 0.9 on paper may be a hair below it in binary.
_ROUNDING = 1e-9

NO_RESULT = "no_result"
SIMULATED = "simulated"
BELOW_MIN_SCORE = "below_min_score"
WORSE_THAN_PROD = "worse_than_prod"
NO_BASELINE = "no_baseline"


@dataclass(frozen=True, slots=True)
class Passed:
    """`pointer` names the result that it passed by."""

    pointer: str


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` is for scripts, `text` for people, with the cases to look at."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Refused:
    reasons: tuple[Reason, ...]


def judge(
    gate: Gate, candidate: Result | None, baseline: Result | None, *, baseline_digest: str
) -> Passed | Refused:
    """Judge a version by its result in the gate's suite, against that of what prod holds.

    `baseline_digest` is of what prod holds; empty: nothing, or the version itself. A result in
    another suite counts as none.
    """
    if candidate is None or candidate.suite != gate.suite:
        return Refused((Reason(NO_RESULT, "it has no result in the suite of the gate"),))
    if not gate.counts(candidate):
        text = "a simulated vendor answered, and by this gate that does not count"
        return Refused((Reason(SIMULATED, text),))
    reasons = (*_below(gate, candidate), *_worse(gate, candidate, baseline, baseline_digest))
    return Refused(reasons) if reasons else Passed(candidate.pointer)


def _below(gate: Gate, candidate: Result) -> Iterator[Reason]:
    """Compare with the least score. The score is taken as it is: what is demanded stays
    predictable, and repeats are what makes it steady."""
    if candidate.score >= gate.min_score - _ROUNDING:
        return
    failing = sorted((case for case in candidate.cases if case.score < 1), key=_by_score)
    named = _named([_with_words(case) for case in failing])
    score = f"it scores {candidate.score:.3f}, below {gate.min_score:g}"
    yield Reason(BELOW_MIN_SCORE, f"{score}: {named}")


def _worse(
    gate: Gate, candidate: Result, baseline: Result | None, baseline_digest: str
) -> Iterator[Reason]:
    if gate.max_regression is None or not baseline_digest:
        return
    if baseline_digest == candidate.digest:
        return
    if baseline is None or baseline.suite != gate.suite:
        yield Reason(NO_BASELINE, "what prod holds has no result in the suite of the gate")
        return
    if baseline.simulated != candidate.simulated:
        yield Reason(NO_BASELINE, "a simulated vendor answered for one of it and what prod holds")
        return
    before, after = paired(baseline, candidate)
    if not before:
        yield Reason(NO_BASELINE, "what prod holds has a result about other cases")
        return
    lost = noise.mean(before) - noise.mean(after)
    margin = noise.of_difference(before, after).margin(noise.ERROR_RATE)
    if lost - margin <= gate.max_regression + _ROUNDING:
        return
    changed = (case for case in compare(baseline, candidate).cases if case.change is Change.WORSE)
    named = _named([f"{case.name} ({case.before:.2f} → {case.after:.2f})" for case in changed])
    text = f"it is {lost:.3f} worse than prod, more than {gate.max_regression:g} and the noise"
    yield Reason(WORSE_THAN_PROD, f"{text} of {margin:.3f}: {named}")


def _by_score(case: CaseResult) -> float:
    return case.score


def _with_words(case: CaseResult) -> str:
    words = case.error or (case.failed[0] if case.failed else "")
    return f"{case.name} ({case.score:.2f}{f', {words}' if words else ''})"


def _named(cases: Sequence[str]) -> str:
    more = len(cases) - NAMED_CASES
    return "; ".join(cases[:NAMED_CASES]) + (f"; and {more} more" if more > 0 else "")

"""From answers that were scored to a result."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from proxy.evals import noise
from proxy.evals.suite import Case
from proxy.versions.evidence import OWN_SOURCE, CaseResult, Result

# Words about what failed are for people; a schema may be long.
MAX_WORDS = 300


class Turn(Protocol):
    """One answer to a case, scored."""

    @property
    def score(self) -> float: ...

    @property
    def failed(self) -> tuple[str, ...]: ...

    @property
    def input_tokens(self) -> int | None: ...

    @property
    def output_tokens(self) -> int | None: ...

    @property
    def latency_ms(self) -> float: ...

    @property
    def error(self) -> str: ...


def case_result(case: Case, turns: Sequence[Turn]) -> CaseResult:
    """Sum up the answers to one case, of which there is one at least."""
    answered = [turn for turn in turns if not turn.error]
    errors = Counter(turn.error for turn in turns if turn.error)
    return CaseResult(
        name=case.name,
        score=statistics.fmean(turn.score for turn in turns),
        scores=tuple(turn.score for turn in turns),
        failed=_failed(turns),
        input_tokens=_sum(turn.input_tokens for turn in turns),
        output_tokens=_sum(turn.output_tokens for turn in turns),
        latency_ms=round(statistics.fmean(t.latency_ms for t in answered), 1) if answered else None,
        error=errors.most_common(1)[0][0] if errors else "",
    )


def _failed(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Return what failed, in words; with how often, where there were several answers."""
    if len(turns) == 1:
        return tuple(map(bounded, turns[0].failed))
    found: dict[str, list[str]] = {}
    for words, instead in (_split(words) for turn in turns for words in turn.failed):
        found.setdefault(words, []).append(instead)
    return tuple(
        f"{bounded(words)} ({_instead(each)}{len(each)} of {len(turns)})"
        for words, each in found.items()
    )


def _split(words: str) -> tuple[str, str]:
    """Return what failed, and what was found instead, which may differ from answer to answer."""
    depth = 0
    for at in reversed(range(len(words) if words.endswith(")") else 0)):
        depth += {")": 1, "(": -1}.get(words[at], 0)
        if not depth:
            return words[:at].rstrip(), words[at + 1 : -1]
    return words, ""


def _instead(found: Sequence[str]) -> str:
    if not found[0]:
        return ""
    return f"{'' if len(set(found)) == 1 else 'first '}{bounded(found[0])}; "


def bounded(words: str) -> str:
    """Return words that can be kept: an answer may hold halves of characters, and any length."""
    return words[:MAX_WORDS].encode("utf-8", "replace").decode()


def result(
    model: str,
    digest: str,
    suite: str,
    cases: Iterable[CaseResult],
    *,
    by: str,
    source: str = OWN_SOURCE,
    raw: str | None = None,
    simulated: bool = False,
    elapsed_ms: float | None = None,
) -> Result:
    """Sum up the cases, of which there is one at least."""
    each = tuple(cases)
    return Result(
        model=model,
        digest=digest,
        suite=suite,
        score=statistics.fmean(case.score for case in each),
        cases=each,
        by=by,
        source=source,
        raw=raw,
        simulated=simulated,
        elapsed_ms=elapsed_ms,
        input_tokens=_sum(case.input_tokens for case in each),
        output_tokens=_sum(case.output_tokens for case in each),
    )


def interval(result: Result, *, outside: float = noise.ERROR_RATE) -> tuple[float, float]:
    """Return where the score lies, but for the share `outside`: as far as the repeats tell, or,
    where each case was asked once, how much the cases differ. Where nothing differed, few answers
    still say less than many."""
    cases = scores_of(result)
    spread = noise.of_mean(cases)
    margin = spread.margin(outside / 2) if spread.error else noise.unseen(cases, outside)
    return max(0.0, result.score - margin), min(1.0, result.score + margin)


def scores_of(result: Result) -> list[tuple[float, ...]]:
    """Return the scores of each case's repeats; of a result made elsewhere, its one score."""
    return [case.scores or (case.score,) for case in result.cases]


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None

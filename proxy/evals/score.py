"""The score of one answer: the share of what was expected that holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxy.evals.answer import Answer
from proxy.evals.expectation import Scorer, holds
from proxy.evals.suite import Case


@dataclass(frozen=True, slots=True)
class Scored:
    """`failed` says in words what did not hold."""

    score: float
    failed: tuple[str, ...] = ()


def score(case: Case, answer: Answer, scorers: Mapping[str, Scorer]) -> Scored:
    """Score an answer; one that did not come scores nothing. `scorers` are by what `python` says
    in an expectation (`scorers.py:on_brand`)."""
    if answer.error:
        return Scored(0.0, (answer.error,))
    shown = described(case)
    total, failed = 0.0, []
    for expected in case.expect:
        held = holds(expected, answer, shown, scorers)
        total += held.share
        if held.share < 1:
            failed.append(f"{expected} ({held.found})" if held.found else str(expected))
    return Scored(total / len(case.expect), tuple(failed))


def described(case: Case) -> dict[str, Any]:
    """Return the case as a scorer sees it."""
    return {
        "name": case.name,
        "messages": [{"role": role, "content": text} for role, text in case.messages],
        "variables": dict(case.variables),
    }

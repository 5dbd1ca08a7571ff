"""Two versions by their results: what got better, what got worse, and what is noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.control.eval_subject import Named, named
from proxy.control.results import result_json
from proxy.errors import NoResult
from proxy.evals.compare import Comparison
from proxy.evals.compare import compare as side_by_side
from proxy.store.base import Store
from proxy.versions.evidence import Result


@dataclass(frozen=True, slots=True)
class CompareReport:
    model: str
    before: Named
    after: Named
    comparison: Comparison

    def json(self) -> dict[str, Any]:
        old, new = self.comparison.before, self.comparison.after
        told = self.comparison.json()
        return {
            "model": self.model,
            "suite": new.suite,
            "from": {**self.before.json(), **_without_cases(old)},
            "to": {**self.after.json(), **_without_cases(new)},
            **{key: told[key] for key in ("difference", "interval", "certain", "cases")},
        }


def _without_cases(result: Result) -> dict[str, Any]:
    return {key: value for key, value in result_json(result).items() if key != "cases"}


async def compare(
    store: Store,
    models_dir: Path,
    model: str,
    before: str,
    after: str,
    *,
    suite: str | None = None,
    current: str | None = None,
) -> CompareReport:
    """Compare the newest results of two versions in a suite that both have: the one named, else the
    `current` one of the files, else the one in which `after` was evaluated last.

    Raises as `eval_subject.named` does, and `NoResult`.
    """
    old = await named(store, models_dir, model, before)
    new = await named(store, models_dir, model, after)
    olds = _by_suite(await store.results(model, old.digest))
    news = _by_suite(await store.results(model, new.digest))
    for one, found in ((old, olds), (new, news)):
        if not found:
            raise NoResult(f"{one.name} has no result", hint=_hint(one))
    chosen = _suite(olds, news, suite, current)
    if chosen is None:
        where = "in that suite" if suite is not None else "in a suite that both have"
        raise NoResult(f"{old.name} and {new.name} have no results {where}", hint=_hint(old))
    return CompareReport(model, old, new, side_by_side(olds[chosen], news[chosen]))


def _by_suite(results: list[Result]) -> dict[str, Result]:
    """Return the newest result in each suite, of results that come newest first."""
    found: dict[str, Result] = {}
    for result in results:
        found.setdefault(result.suite, result)
    return found


def _suite(
    olds: dict[str, Result], news: dict[str, Result], suite: str | None, current: str | None
) -> str | None:
    both = [name for name in news if name in olds]
    if suite is not None:
        return suite if suite in both else None
    return current if current in both else next(iter(both), None)


def _hint(one: Named) -> str:
    reference = one.name if one.number is None else f"v{one.number}"
    return f"proxyctl eval {one.model} {reference}"

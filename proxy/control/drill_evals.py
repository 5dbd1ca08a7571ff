"""The cases of a model in a drill: what the proxies are probed with, and a run of them for what
prod holds, compared with the run that let it there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from proxy.control.act import Act
from proxy.control.back import HISTORY_LIMIT
from proxy.control.drill import Rerun
from proxy.control.eval_subject import subject
from proxy.control.evaluate import Way, evaluate
from proxy.control.gate import latest
from proxy.control.references import Found
from proxy.control.suite_files import SuiteFiles
from proxy.evals.compare import Comparison, compare
from proxy.evals.suite import Case
from proxy.store.base import Store
from proxy.versions.backward import pin_events
from proxy.versions.evidence import Result
from proxy.versions.question import Sample
from proxy.versions.record import PROD


def samples_of(cases: Iterable[Case]) -> tuple[Sample, ...]:
    """Return what an app would send for the cases, in their order."""
    return tuple(Sample(case.messages, dict(case.variables)) for case in cases)


async def run_again(store: Store, found: Found, files: SuiteFiles, act: Act, way: Way) -> Rerun:
    """Run the cases for the version and compare with the result that approved it.

    The result is part of the drill's report and not kept beside the version, where a gate would
    go by it. Raises as `evaluate` does.
    """
    model = found.info.model
    one = await subject(store, Path(), model, found.info.id)
    own = replace(way, keep=False, baseline=False, fresh=True)
    report = await evaluate(store, one, files, act, own)
    return compared(report.result, await approving(store, found, files.suite.digest))


async def approving(store: Store, found: Found, suite: str) -> Result | None:
    """Return the result that let the version to prod the last time; where there was no gate, the
    newest one in the suite."""
    model, digest = found.info.model, found.info.digest
    events = pin_events(await store.history(model, HISTORY_LIMIT), PROD)
    pointers = [one.verdict for one in events if one.version == found.info.id and one.verdict]
    known = {one.pointer: one for one in await store.results(model, digest)}
    if pointers and pointers[0] in known:
        return known[pointers[0]]
    return await latest(store, model, digest, suite)


def compared(now: Result, approved: Result | None) -> Rerun:
    """Say how the version does now against how it did. Only a loss beyond noise, in the same suite
    and at a real vendor, is a loss."""
    if approved is None:
        return Rerun(now, words="it was never evaluated before")
    if now.simulated != approved.simulated:
        return Rerun(now, approved, "one of the two was answered by the simulated vendor")
    seen = compare(approved, now)
    if not seen.same_suite:
        return Rerun(now, approved, "the suite has changed since")
    worse = seen.certain and seen.difference < 0
    return Rerun(now, approved, _words(seen), worse)


def _words(seen: Comparison) -> str:
    low, high = seen.interval
    return f"{seen.difference:+.3f}, between {low:+.3f} and {high:+.3f}"

"""Evaluate a version: ask every question of its suite, keep the result, and say what it means."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxy.control.act import Act
from proxy.control.eval_ask import Place
from proxy.control.eval_progress import About, Notes, Scored, open_notes
from proxy.control.eval_run import DEFAULT_PACE, Pace, Watch, run
from proxy.control.eval_subject import Subject, pinned
from proxy.control.gate import GateReport, counterpart, counting, follow, foresee
from proxy.control.results import result_json
from proxy.control.standing import Standing, standing
from proxy.control.suite_files import SuiteFiles, load_scorers
from proxy.evals.suite import Case, gate_of
from proxy.evals.summary import case_result
from proxy.evals.summary import result as sum_up
from proxy.store.base import Store
from proxy.versions.evidence import Gate, Result

Opened = Callable[[Subject], AbstractAsyncContextManager[Place]]
"""Makes a version answer somewhere, for as long as it is asked."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an eval is done. `notes` is the directory of what was heard so far, `place` tells apart
    who answers: answers of two are not mixed. `clock` is the time of day in seconds. Without `keep`
    nothing is stored; without `gate` the one in force is left as it is; without `baseline` what
    prod holds is not evaluated for the gate. With `if_missing` nothing is asked that a kept result
    answers."""

    opened: Opened
    watch: Watch
    notes: Path
    clock: Callable[[], float]
    place: str = ""
    pace: Pace = DEFAULT_PACE
    repeats: int | None = None
    fresh: bool = False
    keep: bool = True
    gate: bool = True
    baseline: bool = True
    if_missing: bool = False


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What came of it. `resumed` counts the answers that an earlier run had; `gate` says whether
    the gate in force was changed; `baseline` is what was evaluated beside, since the gate compares
    with it. `known` says that the result was kept before, and nothing was asked. `earlier` is the
    newest result of the same content in another suite, where it had none in this one."""

    subject: Subject
    result: Result
    stored: bool
    resumed: int
    standing: Standing
    gate: GateReport
    baseline: Subject | None = None
    known: bool = False
    earlier: Result | None = None

    def json(self) -> dict[str, Any]:
        info, against = self.subject.info, self.standing.comparison
        return {
            "model": self.subject.model,
            "id": info.id if info is not None else None,
            "version": info.number if info is not None else None,
            "digest": self.subject.digest,
            **result_json(self.result),
            "stored": self.stored,
            "known": self.known,
            "resumed": self.resumed,
            **self.standing.json(),
            "gate_changed": self.gate.changed,
            "gate_pending": self.gate.pending,
            "left_suite": self.gate.left,
            "earlier_suite": self.earlier.suite if self.earlier is not None else None,
            "against": against.json() if against is not None else None,
            "evaluated_beside": self.baseline.name if self.baseline is not None else None,
        }


async def evaluate(
    store: Store, subject: Subject, files: SuiteFiles, act: Act, way: Way
) -> EvalReport:
    """Ask the subject every question of the suite; and ask what prod holds too, if the gate
    compares with it and there is no result of it yet.

    The gate in force follows the files as `gate.follow` says, unless the content is not registered:
    a draft, or a pull request, changes nothing for what is in production. Raises `InvalidFiles` for
    scorers that cannot be run, `EvalFailed`, what `way.opened` raises, and what the store raises.
    """
    runner = _Runner(store, files, act, way)
    earlier = _elsewhere(await store.results(subject.model, subject.digest), files.suite.digest)
    kept = await runner.kept(subject) if way.if_missing else None
    if kept is not None:
        result, resumed = kept, 0
    else:
        result, resumed = await runner.evaluated(subject, act.operation)
    follows = way.keep and way.gate and subject.info is not None
    gate = await _gate(store, subject.model, gate_of(files.suite), act, follows=follows)
    beside = await _baseline(store, subject, result, gate.gate) if way.baseline else None
    before = None
    if beside is not None:
        before, _ = await runner.evaluated(beside, f"{act.operation}.baseline")
    stands = await standing(store, result, gate.gate, before)
    known = kept is not None
    return EvalReport(subject, result, way.keep, resumed, stands, gate, beside, known, earlier)


async def _gate(store: Store, model: str, wanted: Gate, act: Act, *, follows: bool) -> GateReport:
    """Return the gate in force after this; the one that would be, where it is to stay."""
    if follows:
        return await follow(store, model, wanted, act)
    return await foresee(store, model, wanted)


def _elsewhere(results: list[Result], suite: str) -> Result | None:
    """Return the newest of results if none is in the suite; None: one is, or there is none."""
    if any(one.suite == suite for one in results):
        return None
    return next(iter(results), None)


async def _baseline(
    store: Store, subject: Subject, result: Result, gate: Gate | None
) -> Subject | None:
    """Return what prod holds, if the gate compares with it and nothing is known of it, or only what
    a simulated vendor made of it where this one was asked a real one, or the other way round."""
    if gate is None or gate.max_regression is None or gate.suite != result.suite:
        return None
    held = await pinned(store, subject.model)
    if held is None or held.digest == subject.digest:
        return None
    known = await counterpart(store, result, held.digest)
    comparable = known is not None and known.simulated == result.simulated
    return None if comparable else held


@dataclass(frozen=True, slots=True)
class _Runner:
    """Evaluates one content after the other in the same suite."""

    store: Store
    files: SuiteFiles
    act: Act
    way: Way

    async def kept(self, subject: Subject) -> Result | None:
        """Return the newest result that is kept, if the files' gate goes by it."""
        gate = gate_of(self.files.suite)
        found = await counting(self.store, subject.model, subject.digest, gate)
        return found if found is not None and gate.counts(found) else None

    async def evaluated(self, subject: Subject, operation: str) -> tuple[Result, int]:
        """Return the result, kept if it is to be, and how many answers were known before."""
        way = self.way
        about = About(subject.model, subject.digest, self.files.suite.digest, way.place)
        notes = open_notes(way.notes, about, fresh=way.fresh, now_s=way.clock())
        try:
            result = await self._run(subject, notes)
            if way.keep:
                result = (await self.store.attach(result, operation)).result
            notes.done()
        finally:
            notes.close()
        return result, len(notes.known)

    async def _run(self, subject: Subject, notes: Notes) -> Result:
        suite, way, loop = self.files.suite, self.way, asyncio.get_running_loop()
        cases = [_repeated(case, way.repeats) for case in suite.cases]
        async with contextlib.AsyncExitStack() as opened:
            # What a scorer prints is no part of the answer on stdout, which scripts read.
            opened.enter_context(contextlib.redirect_stdout(sys.stderr))
            scorers = load_scorers(self.files)
            place = await opened.enter_async_context(way.opened(subject))
            started_s = loop.time()
            turns = await run(
                place, cases, scorers, notes, way.pace, watch=way.watch, what=subject.name
            )
            elapsed_ms = round((loop.time() - started_s) * 1000, 1)
        return sum_up(
            subject.model,
            subject.digest,
            suite.digest,
            [case_result(case, turns[case.name]) for case in cases],
            by=self.act.by,
            simulated=_simulated(turns),
            elapsed_ms=elapsed_ms,
        )


def _repeated(case: Case, repeats: int | None) -> Case:
    return case if repeats is None else replace(case, repeats=repeats)


def _simulated(turns: dict[str, list[Scored]]) -> bool:
    return any(one.simulated for each in turns.values() for one in each)

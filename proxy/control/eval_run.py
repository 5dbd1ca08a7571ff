"""All questions of a suite, several at once, each answer scored and noted as it comes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from proxy.control.eval_ask import Heard, Place, ask
from proxy.control.eval_progress import Notes, Scored
from proxy.control.eval_scoring import scored
from proxy.errors import EvalFailed
from proxy.evals.expectation import Scorer
from proxy.evals.suite import Case

if TYPE_CHECKING:
    import aiohttp

DEFAULT_CONCURRENCY = 8
DEFAULT_TIMEOUT_S = 120.0

# So many failures of one kind before the first answer, and the rest is not asked for.
MOST_AT_FIRST = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """How many questions are under way at once, and how long each may take; the scoring of its
    answer too."""

    concurrency: int = DEFAULT_CONCURRENCY
    timeout_s: float = DEFAULT_TIMEOUT_S


DEFAULT_PACE = Pace()


class Watch(Protocol):
    """Whoever wants to see it advance."""

    def begin(self, what: str, total: int, known: int) -> None:
        """`total` answers are wanted of the version that is called `what`; `known` are there."""

    def heard(self, scored: Scored) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Turn:
    case: Case
    turn: int


@dataclass(slots=True)
class _Tally:
    """Counts failures, so that a run ends which says nothing about the version."""

    planned: int
    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, error: str) -> None:
        """Raises `EvalFailed` when more than half of what is planned failed in one way."""
        if not error:
            self.answered += 1
            return
        self.errors[error] += 1
        count = self.errors[error]
        hopeless = not self.answered and count >= MOST_AT_FIRST
        if 2 * count > self.planned or hopeless:
            raise EvalFailed(
                f"{count} of {self.planned} questions failed with {error}: that says nothing about"
                " the version, and nothing was kept",
                hint="docs/errors.md says what the code means",
            )


async def run(
    place: Place,
    cases: Iterable[Case],
    scorers: Mapping[str, Scorer],
    notes: Notes,
    pace: Pace = DEFAULT_PACE,
    *,
    watch: Watch,
    what: str,
) -> dict[str, list[Scored]]:
    """Return the scored answers of every case, by its name, in the order of the repeats.

    What is noted is not asked again. A question that was not answered is scored 0 and not noted:
    the next run asks it again. Raises `EvalFailed`.
    """
    wanted = list(_turns(cases))
    known = {(one.case, one.turn): one for one in notes.known if not one.error}
    found = {key: known[key] for turn in wanted if (key := (turn.case.name, turn.turn)) in known}
    left = iter([turn for turn in wanted if (turn.case.name, turn.turn) not in found])
    tally = _Tally(len(wanted), answered=len(found))
    watch.begin(what, len(wanted), len(found))

    async def work(session: aiohttp.ClientSession) -> None:
        for one in left:
            turn = await _asked(session, place, one, scorers, pace.timeout_s)
            found[one.case.name, one.turn] = turn
            watch.heard(turn)
            tally.add(turn.error)
            if not turn.error:
                notes.add(turn)

    try:
        async with _session(pace) as session:
            await _together(work(session) for _ in range(pace.concurrency))
    finally:
        watch.end()
    return _by_case(wanted, found)


def _session(pace: Pace) -> aiohttp.ClientSession:
    import aiohttp  # takes a fifth of the time that a verb takes to start

    connector = aiohttp.TCPConnector(limit=pace.concurrency)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))


def _turns(cases: Iterable[Case]) -> Iterator[_Turn]:
    return (_Turn(case, turn) for case in cases for turn in range(case.repeats))


async def _together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of it; the first that fails ends the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _asked(
    session: aiohttp.ClientSession,
    place: Place,
    one: _Turn,
    scorers: Mapping[str, Scorer],
    timeout_s: float,
) -> Scored:
    heard = await ask(session, place, one.case, timeout_s)
    marks = await scored(one.case, heard.answer, scorers, timeout_s)
    return _noted(one, heard, marks.score, marks.failed)


def _noted(one: _Turn, heard: Heard, share: float, failed: tuple[str, ...]) -> Scored:
    answer = heard.answer
    return Scored(
        case=one.case.name,
        turn=one.turn,
        score=0.0 if answer.error else share,
        failed=failed,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        latency_ms=answer.latency_ms,
        error=answer.error,
        simulated=heard.simulated,
    )


def _by_case(
    wanted: Iterable[_Turn], found: Mapping[tuple[str, int], Scored]
) -> dict[str, list[Scored]]:
    cases: dict[str, list[Scored]] = {}
    for one in wanted:
        cases.setdefault(one.case.name, []).append(found[one.case.name, one.turn])
    return cases

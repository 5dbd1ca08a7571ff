"""Answers are scored in threads of their own, which nothing waits for longer than agreed.

A scorer is somebody's code and may never return. A thread cannot be ended; but a daemon keeps
neither the run waiting nor the process, which threads of an executor do.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping

from proxy.errors import EvalFailed
from proxy.evals.answer import Answer
from proxy.evals.expectation import Scorer
from proxy.evals.score import Scored, score
from proxy.evals.suite import Case


async def scored(
    case: Case, answer: Answer, scorers: Mapping[str, Scorer], limit_s: float
) -> Scored:
    """Score an answer. Raises `EvalFailed` if that takes longer than `limit_s`: a scorer that does
    not return says nothing about the version."""
    marks: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()
    arguments = (marks, case, answer, scorers)
    threading.Thread(target=_score, args=arguments, name="scorer", daemon=True).start()
    try:
        async with asyncio.timeout(limit_s):
            return await marks
    except TimeoutError:
        raise EvalFailed(
            f"the answer to {case.name!r} was not scored within {limit_s:g} s: {_suspects(case)}",
            hint="mend what takes so long, or give it longer: --timeout",
        ) from None


def _score(
    marks: asyncio.Future[Scored], case: Case, answer: Answer, scorers: Mapping[str, Scorer]
) -> None:
    try:
        found: Scored | Exception = score(case, answer, scorers)
    except Exception as error:
        found = error
    # A loop that is closed has given up on this answer.
    with contextlib.suppress(RuntimeError):
        marks.get_loop().call_soon_threadsafe(_settle, marks, found)


def _settle(marks: asyncio.Future[Scored], found: Scored | Exception) -> None:
    if marks.done():
        return
    if isinstance(found, Exception):
        marks.set_exception(found)
    else:
        marks.set_result(found)


def _suspects(case: Case) -> str:
    """Name what may take long: functions; else whatever the case expects."""
    functions = [str(one) for one in case.expect if one.kind == "python"]
    return ", ".join(functions or map(str, case.expect))

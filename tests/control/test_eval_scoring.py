"""A scorer is somebody's code: nobody waits for it longer than agreed."""

import threading

import pytest

from proxy.control.eval_scoring import scored
from proxy.errors import EvalFailed
from proxy.evals.answer import Answer
from proxy.evals.expectation import Expectation
from proxy.evals.suite import Case

CASE = Case("rain", (("user", "Rain?"),), (Expectation("python", "s.py:f"),))
ANSWER = Answer("Take a jacket.", (), "stop", 1, 1)


async def test_an_answer_is_scored_by_the_function():
    marks = await scored(CASE, ANSWER, {"s.py:f": lambda text, case: 0.5}, 5.0)

    assert marks.score == 0.5


async def test_one_that_does_not_return_ends_the_run_with_its_name_and_keeps_nobody_waiting():
    released, left = threading.Event(), threading.Event()

    def stuck(text, case):
        released.wait(10)
        left.set()

    with pytest.raises(EvalFailed) as error:
        await scored(CASE, ANSWER, {"s.py:f": stuck}, 0.02)

    assert "'rain' was not scored within 0.02 s: python \"s.py:f\"" in error.value.message
    assert not left.is_set()
    assert all(one.daemon for one in threading.enumerate() if one.name == "scorer")
    released.set()


async def test_what_scoring_itself_raises_is_no_silence():
    with pytest.raises(KeyError):
        await scored(CASE, ANSWER, {}, 5.0)

from proxy.evals.answer import Answer
from proxy.evals.score import described, score
from proxy.evals.suite import parse

TEXT = """
[[case]]
name = "rain"
input = "Rain?"
variables = {shop = "Alpine"}
expect = [{contains = "jacket"}, {max_length = 5}, {python = "s.py:half"}]
"""
(CASE,) = parse(TEXT, {"s.py": b""}).cases


def answer(text, error=""):
    return Answer(text, (), "stop", 1, 1, 1.0, error)


def test_the_score_is_the_share_of_expectations_that_hold():
    scored = score(CASE, answer("a jacket"), {"s.py:half": lambda text, case: 0.5})

    assert scored.score == 0.5
    assert scored.failed == ("max_length 5 (was 8)", 'python "s.py:half" (0.5)')


def test_all_held_is_one_and_nothing_failed():
    scored = score(CASE, answer("jacket"[:5]), {"s.py:half": lambda text, case: True})

    assert scored.failed == ('contains "jacket"',)
    assert scored.score == 2 / 3


def test_an_answer_that_did_not_come_scores_nothing():
    scored = score(CASE, answer("", "timeout"), {})

    assert (scored.score, scored.failed) == (0.0, ("timeout",))


def test_a_scorer_sees_the_case():
    assert described(CASE) == {
        "name": "rain",
        "messages": [{"role": "user", "content": "Rain?"}],
        "variables": {"shop": "Alpine"},
    }

"""From scored answers to a result."""

from dataclasses import dataclass

import pytest

from proxy.evals.suite import parse
from proxy.evals.summary import case_result, interval, result

SUITE = parse('[[case]]\nname = "rain"\ninput = "?"\nexpect = [{contains = "x"}]\n', {})


@dataclass
class Turn:
    score: float
    failed: tuple[str, ...] = ()
    input_tokens: int | None = 5
    output_tokens: int | None = 7
    latency_ms: float = 100.0
    error: str = ""


def summed(*turns):
    return case_result(SUITE.cases[0], turns)


def test_a_case_has_the_mean_of_its_repeats():
    case = summed(Turn(1), Turn(0, ('contains "x"',), latency_ms=300))

    assert (case.name, case.score, case.scores) == ("rain", 0.5, (1, 0))
    assert (case.input_tokens, case.output_tokens, case.latency_ms) == (10, 14, 200)
    assert case.failed == ('contains "x" (1 of 2)',)


def test_a_single_answer_says_what_was_found_instead():
    assert summed(Turn(0, ("max_length 3 (was 9)",))).failed == ("max_length 3 (was 9)",)


def test_of_several_answers_what_the_first_gave_instead_is_said():
    lengths = [Turn(0, (f"max_length 3 (was {n})",)) for n in (9, 7)]
    errors = [Turn(0, ('python "s.py:f" (raised OSError at s.py:2: f(x) (y))',))] * 2

    assert summed(*lengths).failed == ("max_length 3 (first was 9; 2 of 2)",)
    assert summed(*errors).failed == (
        'python "s.py:f" (raised OSError at s.py:2: f(x) (y); 2 of 2)',
    )


def test_an_answer_that_did_not_come_scores_nothing_and_is_named():
    case = summed(Turn(1), Turn(0, ("timeout",), None, None, 9999, "timeout"))

    assert (case.score, case.error) == (0.5, "timeout")
    assert case.latency_ms == 100


def test_brackets_in_what_is_expected_are_no_remark():
    case = summed(Turn(0, ('contains "a (b)"',)), Turn(0, ('contains "a (b)"',)))

    assert case.failed == ('contains "a (b)" (2 of 2)',)


def test_words_that_no_text_can_hold_are_kept_all_the_same():
    assert summed(Turn(0, ('json_path "$.a" ("\ud800")',))).failed[0].encode()


def test_a_result_is_the_mean_of_its_cases():
    cases = [summed(Turn(1)), summed(Turn(0))]

    found = result("shop", "sha256:1", "sha256:2", cases, by="ada", elapsed_ms=12.5)

    assert (found.score, found.input_tokens, found.output_tokens) == (0.5, 10, 14)
    assert (found.source, found.elapsed_ms) == ("proxyctl", 12.5)


def test_the_interval_is_wide_where_little_is_known_and_stays_within_shares():
    def one(*scores):
        turns = [Turn(score) for score in scores]
        return result("shop", "d", "s", [summed(*turns), summed(*turns)], by="ada")

    (few, most), (many, _) = interval(one(1)), interval(one(*[1] * 10))
    assert most == 1.0
    # Wilson's bounds of 2 of 2 and of 20 of 20.
    assert (round(few, 3), round(many, 3)) == (0.342, 0.839)
    low, high = interval(one(*[1, 0] * 5))
    assert 0 <= low < 0.5 < high <= 1


def test_unknown_tokens_stay_unknown():
    turns = [Turn(1, input_tokens=None, output_tokens=None)]

    assert summed(*turns).input_tokens is None
    assert result("m", "d", "s", [summed(*turns)], by="a").output_tokens is None


@pytest.mark.parametrize("length", [10, 100_000])
def test_words_about_what_failed_are_bounded(length):
    assert len(summed(Turn(0, ("x" * length,))).failed[0]) <= 300

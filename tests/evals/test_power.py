"""What a comparison says that it can see, held against what the gate catches."""

import math
import random
import statistics

import pytest
from msgspec.structs import replace

from proxy.evals.power import LEAST_REPEATS, TELLING, Power, power
from proxy.versions.evidence import CaseResult, Gate, Result
from tests.evals.test_noise import MARGIN, RIGHT, refused

SUITE = "sha256:" + "5" * 64
GATE = Gate(SUITE, max_regression=MARGIN)


def result(runs, suite=SUITE):
    cases = tuple(
        CaseResult(str(n), statistics.fmean(scores), tuple(scores)) for n, scores in enumerate(runs)
    )
    score = statistics.fmean(case.score for case in cases)
    return Result("shop", "sha256:" + "1" * 64, suite, score, cases, by="ada")


def drawn(cases, repeats, trials=200):
    """Return what is said of the comparison of two runs that are right by the same chance."""
    dice = random.Random(7)

    def run():
        return [[float(dice.random() < RIGHT) for _ in range(repeats)] for _ in range(cases)]

    return [power(GATE, result(run()), result(run())) for _ in range(trials)]


@pytest.mark.parametrize("shape", [(10, 10), (50, 3)])
def test_a_loss_that_is_said_to_be_seen_is_refused_about_four_times_in_five(shape):
    sees = statistics.median(one.sees for one in drawn(*shape))

    assert 0.7 < refused(*shape, sees, 3) < 0.9


@pytest.mark.parametrize("shape", [(10, 1), (10, 3), (10, 10)])
def test_with_the_repeats_that_are_asked_for_ten_points_are_caught(shape):
    repeats = round(statistics.median(one.repeats for one in drawn(*shape) if one.repeats))

    assert repeats > shape[1]
    assert 0.65 < refused(10, repeats, TELLING, 4) < 0.95


def test_a_steady_vendor_lets_any_loss_be_seen():
    steady = result([[1.0] * LEAST_REPEATS] * 5)

    assert power(GATE, steady, steady) == Power(MARGIN)


def test_a_single_case_asked_once_says_nothing_and_more_is_asked_for():
    once = result([[1.0]])

    assert power(GATE, once, once) == Power(math.inf, LEAST_REPEATS)


def test_nothing_is_said_where_the_gate_compares_nothing():
    one, other = result([[1.0] * 3]), result([[1.0] * 3], suite="sha256:" + "6" * 64)

    assert power(Gate(SUITE), one, one) is None
    assert power(GATE, None, one) is None
    assert power(GATE, other, one) is None
    assert power(GATE, replace(one, simulated=True), one) is None

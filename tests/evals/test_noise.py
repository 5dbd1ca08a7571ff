"""How often the gate's arithmetic is wrong: drawn again, and compared with docs/evals.md."""

import random
import re
import statistics
from pathlib import Path

import pytest

from proxy.evals import noise

PAGE = Path(__file__).parents[2] / "docs" / "evals.md"
MARGIN, RIGHT, LOST = 0.02, 0.9, 0.1
TRIALS = 400
SHAPES = ((10, 1), (10, 3), (10, 10), (50, 1), (50, 3), (50, 10), (100, 10))


def refused(cases, repeats, lost, seed):
    """Return how often a version whose answers are right less often, by `lost`, is refused."""
    dice = random.Random(seed)

    def run(right):
        return [[float(dice.random() < right) for _ in range(repeats)] for _ in range(cases)]

    count = 0
    for _ in range(TRIALS):
        before, after = run(RIGHT), run(RIGHT - lost)
        margin = noise.of_difference(before, after).margin(noise.ERROR_RATE)
        count += noise.mean(before) - noise.mean(after) - margin > MARGIN
    return count / TRIALS


@pytest.fixture(scope="module")
def rates():
    return {shape: (refused(*shape, 0.0, 1), refused(*shape, LOST, 2)) for shape in SHAPES}


def test_a_version_that_is_as_good_is_seldom_refused(rates):
    assert all(equal <= noise.ERROR_RATE for equal, _ in rates.values())


@pytest.mark.parametrize("repeats", [2, 3, 5])
@pytest.mark.parametrize("steady", [4, 9])
def test_steady_cases_make_no_noisy_one_look_steady(steady, repeats):
    """One case is a coin, the others never change: the hardest to judge."""
    dice, count = random.Random(3), 0
    for _ in range(1000):
        coins = [[float(dice.random() < 0.5) for _ in range(repeats)] for _ in range(2)]
        before, after = ([coin, *[[1.0] * repeats] * steady] for coin in coins)
        margin = noise.of_difference(before, after).margin(noise.ERROR_RATE)
        count += noise.mean(before) - noise.mean(after) - margin > MARGIN

    assert count / 1000 <= noise.ERROR_RATE


def test_ten_points_worse_is_caught_where_there_are_enough_answers(rates):
    assert rates[50, 10][1] > 0.95
    assert rates[100, 10][1] > 0.99


def test_more_answers_catch_more(rates):
    caught = [rates[shape][1] for shape in ((10, 1), (10, 3), (10, 10), (50, 10))]

    assert caught == sorted(caught)


def table(rates):
    return "\n".join(
        f"| {cases} | {repeats} | {equal:.1%} | {worse:.1%} |"
        for (cases, repeats), (equal, worse) in rates.items()
    )


def test_the_page_has_these_numbers(rates):
    shown = re.search(r"<!-- noise -->\n.*\n.*\n((?:\|.*\n)+)<!-- /noise -->", PAGE.read_text())

    assert shown is not None
    assert shown[1].strip() == table(rates), f"write this into docs/evals.md:\n{table(rates)}"


@pytest.mark.parametrize(
    ("share", "freedom", "expected"),
    [  # Abramowitz and Stegun, table 26.10
        (0.95, 1, 6.314),
        (0.95, 2, 2.920),
        (0.95, 3, 2.353),
        (0.95, 10, 1.812),
        (0.975, 5, 2.571),
        (0.975, 30, 2.042),
        (0.995, 8, 3.355),
    ],
)
def test_students_quantiles_are_those_of_the_tables(share, freedom, expected):
    assert noise.student(share, freedom) == pytest.approx(expected, rel=0.02)


def test_a_steady_case_that_breaks_each_time_is_no_noise():
    before = [[1.0] * 3] * 5
    after = [[1.0] * 3] * 4 + [[0.0] * 3]

    assert noise.of_difference(before, after).margin(0.05) == 0.0


def test_of_one_case_asked_once_nothing_is_known():
    assert noise.of_difference([[1.0]], [[0.0]]).margin(0.05) == float("inf")
    assert noise.of_mean([[1.0]]).margin(0.05) == float("inf")


def test_the_spread_of_a_mean_is_that_of_its_repeats():
    cases = [[0.0, 1.0] * 5, [1.0] * 10]
    expected = (statistics.variance(cases[0]) / 10) ** 0.5 / 2

    assert noise.of_mean(cases).error == pytest.approx(expected)

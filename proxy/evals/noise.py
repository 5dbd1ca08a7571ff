"""How much of a difference between two runs of one suite may be chance.

The cases are fixed, so what varies is the answers to them. Where every case was asked three times
or more in both runs, the variance within the cases says how much; else the differences from case
to case have to stand in for it, which is cautious: cases that really differ look like noise then.
Means are compared by Student's distribution, with the freedom of those cases that vary at all
(Welch and Satterthwaite): nine steady cases say nothing about how far the tenth swings.
tests/evals/test_noise.py measures how often that is wrong, and how much it misses.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

ERROR_RATE = 0.05
"""How often, at most, a version that is as good is taken for a worse one."""

# Two answers agree by chance too often to say that a case is steady.
_LEAST_REPEATS = 3

Scores = Sequence[float]
"""The scores of the repeats of one case."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard error of a mean or a difference, and the degrees of freedom behind it. With
    none, nothing is known of it."""

    error: float
    freedom: float

    def margin(self, one_sided: float) -> float:
        """Return how far off chance alone gets, but for the share `one_sided` of cases."""
        if self.freedom < 1:
            return math.inf
        return student(1 - one_sided, self.freedom) * self.error


def mean(cases: Sequence[Scores]) -> float:
    """Return the mean of the cases' means."""
    return statistics.fmean(map(statistics.fmean, cases))


def of_difference(before: Sequence[Scores], after: Sequence[Scores]) -> Spread:
    """Return the spread of `mean(after) - mean(before)`; the cases are the same, in order."""
    if _repeated((*before, *after)):
        return _within((*before, *after), len(before))
    return _between(
        [statistics.fmean(b) - statistics.fmean(a) for a, b in zip(before, after, strict=True)]
    )


def of_mean(cases: Sequence[Scores]) -> Spread:
    """Return the spread of the mean of one run."""
    if _repeated(cases):
        return _within(cases, len(cases))
    return _between([statistics.fmean(one) for one in cases])


def unseen(cases: Sequence[Scores], outside: float) -> float:
    """Return how far off a mean may be though no answer differed from the others to its case: with
    the share that may still do so after `n` that did not (Wilson's bound), but for `outside`."""
    z = statistics.NormalDist().inv_cdf(1 - outside / 2)
    return z**2 / (sum(map(len, cases)) + z**2)


def _repeated(runs: Sequence[Scores]) -> bool:
    return all(len(one) >= _LEAST_REPEATS for one in runs)


def of_case(before: Scores, after: Scores, runs: Sequence[Scores]) -> Spread:
    """Return the spread of one case's difference, with the variance pooled over all of `runs`."""
    freedom = sum(len(one) - 1 for one in runs)
    if freedom < 1:
        return Spread(math.inf, 0)
    pooled = sum(_squares(one) for one in runs) / freedom
    return Spread(math.sqrt(pooled * (1 / len(before) + 1 / len(after))), freedom)


def _within(runs: Sequence[Scores], cases: int) -> Spread:
    """Return the spread of a sum over `runs` of means, divided by `cases`."""
    parts = [(_squares(one) / (len(one) - 1) / len(one), len(one) - 1) for one in runs]
    variance = math.fsum(part for part, _ in parts)
    error = math.sqrt(variance) / cases
    if variance == 0:
        return Spread(0.0, sum(freedom for _, freedom in parts))
    return Spread(error, variance**2 / math.fsum(part**2 / freedom for part, freedom in parts))


def _squares(scores: Scores) -> float:
    middle = statistics.fmean(scores)
    return math.fsum((score - middle) ** 2 for score in scores)


def _between(means: Scores) -> Spread:
    if len(means) < 2:
        return Spread(math.inf, 0)
    return Spread(statistics.stdev(means) / math.sqrt(len(means)), len(means) - 1)


def student(share: float, freedom: float) -> float:
    """Return the quantile of Student's distribution for one degree of freedom or more, cautious
    between whole ones: exact for one and two, else Cornish and Fisher's expansion (Abramowitz and
    Stegun, 26.7.5), good to a percent from three on."""
    if freedom < 2:
        return math.tan(math.pi * (share - 0.5))
    if freedom < 3:
        return (2 * share - 1) / math.sqrt(2 * share * (1 - share))
    z = statistics.NormalDist().inv_cdf(share)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / float(freedom) ** power for power, term in enumerate(terms))

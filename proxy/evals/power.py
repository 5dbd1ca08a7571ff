"""What a comparison with prod is able to see: how large a loss has to be to be told from chance,
and how many repeats would show a smaller one.

An estimate: it takes the noise of these two runs for that of the next ones.
tests/evals/test_power.py compares it with what is caught in versions that are drawn.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.evals import noise
from proxy.evals.compare import paired
from proxy.evals.noise import Scores
from proxy.versions.evidence import Gate, Result

CAUGHT = 0.8
"""How often a loss that counts as seen is refused."""

TELLING = 0.1
"""The loss that a suite should see: ten points of a hundred."""

# With fewer repeats the noise of a case cannot be told from what the cases differ by.
LEAST_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Power:
    """`sees` is the least loss that the gate refuses four times in five; infinite: none is.
    `repeats` is how often each case should be asked to see one of `TELLING`; None: it is seen."""

    sees: float
    repeats: int | None = None


def power(gate: Gate, before: Result | None, after: Result) -> Power | None:
    """Say what the gate can see between `before`, a result of what prod holds, and `after`. None:
    it does not compare, or has nothing to compare with."""
    if gate.max_regression is None or before is None:
        return None
    if before.suite != after.suite or before.simulated != after.simulated:
        return None
    old, new = paired(before, after)
    if not old:
        return None
    sees = _sees(noise.of_difference(old, new), noise.mean(old), gate.max_regression)
    if sees <= TELLING or gate.max_regression >= TELLING:
        return Power(sees)
    return Power(sees, _repeats(old, new, TELLING - gate.max_regression))


# Each round moves it less; after these by nothing that anybody would see.
_ROUNDS = 6


def _sees(spread: noise.Spread, share: float, allowed: float) -> float:
    if spread.freedom < 1:
        return math.inf
    wide = noise.student(1 - noise.ERROR_RATE, spread.freedom)
    wide += noise.student(CAUGHT, spread.freedom)
    sees = allowed
    for _ in range(_ROUNDS):
        sees = allowed + wide * spread.error * _wider(share, sees)
    return sees


def _wider(share: float, lost: float) -> float:
    """Return by how much the noise grows where the second version is worse by `lost`: answers that
    are right nearly always hardly differ, and those that are right half of the time do most."""
    now, then = share * (1 - share), max(share - lost, 0.5) * (1 - max(share - lost, 0.5))
    return math.sqrt((1 + then / now) / 2) if then > now > 0 else 1.0


def _repeats(old: Sequence[Scores], new: Sequence[Scores], loss: float) -> int:
    """Return the repeats with which a loss of so much more than is allowed stands out."""
    asked, share = min(map(len, (*old, *new))), noise.mean(old)
    if asked >= LEAST_REPEATS:
        error = noise.of_difference(old, new).error
    else:
        # Of an answer that is right with a chance p, p(1-p) is the most that it varies by.
        error = math.sqrt(2 * share * (1 - share) / (len(old) * asked))
    normal = statistics.NormalDist()
    wide = normal.inv_cdf(1 - noise.ERROR_RATE) + normal.inv_cdf(CAUGHT)
    far = wide * error * _wider(share, TELLING)
    return max(LEAST_REPEATS, math.ceil(asked * (far / loss) ** 2), asked + 1)

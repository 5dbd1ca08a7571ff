"""What goes wrong when: drawn from a seed, so that a run can be repeated as far as time allows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.history.known import FREEZE_PROXY, PIN_TAMPERED

FREEZE_STORE = "freeze store"
KILL_STORE = "kill store"
CUT = "cut connections"
STRAY = "stray pin"
GARBAGE = "garbage in a pin"
BY_HAND = "pin by hand"
TAMPER = "tamper with bytes"
COLD_START = "start without the store"
KILL_PROXY = "kill proxy"
STOP_PROXY = "stop proxy"

STORE_FAULTS = (
    FREEZE_STORE,
    KILL_STORE,
    CUT,
    STRAY,
    GARBAGE,
    BY_HAND,
    TAMPER,
    PIN_TAMPERED,
    COLD_START,
)
PROXY_FAULTS = (KILL_PROXY, KILL_PROXY, FREEZE_PROXY, STOP_PROXY)

# From the end of one fault to the beginning of the next, and how long one lasts.
PAUSES_S = (0.3, 1.5)
LASTS_S = {
    FREEZE_STORE: (0.5, 3.0),
    KILL_STORE: (0.0, 1.5),
    CUT: (0.0, 0.0),
    STRAY: (0.5, 1.0),
    GARBAGE: (0.5, 1.0),
    BY_HAND: (0.5, 1.0),
    TAMPER: (0.5, 1.0),
    PIN_TAMPERED: (0.5, 1.0),
    COLD_START: (0.5, 1.5),
    KILL_PROXY: (0.0, 1.0),
    STOP_PROXY: (0.0, 0.5),
    FREEZE_PROXY: (0.2, 2.5),
}


@dataclass(frozen=True, slots=True)
class Step:
    """Wait for `pause_s`, then let `kind` happen to `target` for `lasts_s`."""

    pause_s: float
    kind: str
    target: str
    lasts_s: float


def steps(dice: random.Random, kinds: Sequence[str], targets: Sequence[str]) -> Iterator[Step]:
    """Yield steps without end: each kind comes once before any comes again."""
    while True:
        for kind in dice.sample(kinds, len(kinds)):
            pause_s, lasts_s = dice.uniform(*PAUSES_S), dice.uniform(*LASTS_S[kind])
            yield Step(pause_s, kind, dice.choice(targets), lasts_s)

"""How many of the latest calls failed. Pure; times are passed in.

Strategy: calls are counted by slices of the window, so that what is kept does not grow with them.
What is forgotten is forgotten a slice at a time: between nine tenths of the window and all of it
are looked at.
"""

from __future__ import annotations

from typing import Final

SLICES: Final = 10


class Tally:
    """Times are seconds on one clock that never goes back."""

    __slots__ = ("_calls", "_failures", "_numbers", "_width_s")

    def __init__(self, window_s: float) -> None:
        self._width_s = window_s / SLICES
        self.forget()

    def forget(self) -> None:
        # The number of the slice that stands at a place: they go round.
        self._numbers = [-1] * SLICES
        self._calls = [0] * SLICES
        self._failures = [0] * SLICES

    def add(self, now: float, *, failed: bool) -> None:
        number = int(now / self._width_s)
        place = number % SLICES
        if self._numbers[place] != number:
            self._numbers[place], self._calls[place], self._failures[place] = number, 0, 0
        self._calls[place] += 1
        self._failures[place] += failed

    def counted(self, now: float) -> tuple[int, int]:
        """Return the calls within the window, and how many of them failed."""
        oldest = int(now / self._width_s) - SLICES
        kept = [place for place, number in enumerate(self._numbers) if number > oldest]
        return sum(self._calls[p] for p in kept), sum(self._failures[p] for p in kept)

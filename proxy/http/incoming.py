"""The body of a request that is passed on as it comes, never held as a whole.

Whoever passes it on is slower or faster than the app: what came while nobody took it waits here,
which is what one read brought, and the app's connection is not read further.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from proxy.errors import RequestError


class Taker(Protocol):
    """Who passes a body on. After `body_ended` or `body_failed` nothing comes."""

    def body_came(self, data: bytes) -> None: ...

    def body_ended(self) -> None: ...

    def body_failed(self, error: RequestError) -> None:
        """What the app sends cannot be read on."""


class Incoming:
    """One body. `hold` stops and resumes the reading of the connection that it comes on; it begins
    held, until `open`. `ended` says that all of it has come."""

    __slots__ = ("_held", "_hold", "_open", "ended", "taker")

    def __init__(self, hold: Callable[[bool], None]) -> None:
        self._hold = hold
        self._held: list[bytes] = []
        self._open = False
        self.ended = False
        self.taker: Taker | None = None
        hold(True)

    def open(self) -> None:
        """Hand over what has come, and whatever comes from now on."""
        assert self.taker is not None
        self._open = True
        held, self._held = self._held, []
        for data in held:
            self.taker.body_came(data)
        if self.ended:
            self.taker.body_ended()
        self.hold(False)

    def hold(self, held: bool) -> None:
        """Have nothing more brought, or go on; what has been read already comes all the same."""
        if not self.ended:  # else what the connection brings is another request
            self._hold(held)

    # --- for the connection

    def feed(self, data: bytes) -> None:
        if self._open and self.taker is not None:
            self.taker.body_came(data)
        else:
            self._held.append(data)

    def end(self) -> None:
        self.ended = True
        if self._open and self.taker is not None:
            self.taker.body_ended()

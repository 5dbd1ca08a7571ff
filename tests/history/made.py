"""Histories made by hand: one in which all is well, to plant violations into."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from tests.history.body import expected, sources
from tests.history.record import (
    Asked,
    Confirmed,
    Counted,
    Fact,
    History,
    Kept,
    Lived,
    Logged,
    Move,
    Noted,
    Pinned,
    Registered,
    Settled,
    Written,
)

FLIP, FLOP = "flip@prod", "flop@prod"
WEB = "web-1"


def sha(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def mark(model: str, number: int) -> str:
    return f"mark-{model}-{number}"


def id_of(model: str, number: int) -> str:
    return f"{model}-v{number}-{sha(mark(model, number))[7:13]}"


def version(model: str, number: int) -> list[Fact]:
    """Return a version that was registered, from its files to what the store keeps of it."""
    named, digest, id = mark(model, number), sha(mark(model, number)), id_of(model, number)
    operation = f"register-{named}"
    return [
        Written(named, model, digest, sources(named, number).injected),
        Registered(operation, named, 0.0, 0.1, "done", id, digest),
        Kept(model, number, id, digest, digest, named),
    ]


def pin(
    epoch: int,
    at_s: float,
    *moves: tuple[str, int, int | None],
    confirmed: tuple[str, ...] = (WEB,),
) -> list[Fact]:
    """Return a pin that was sent at `at_s` and answered half a second later. A move is a key, the
    number of the version that it gets, and of the one that it held."""
    made = [_move(*move) for move in moves]
    wanted = {move.key: move.to for move in made}
    operation = f"pin-{epoch}"
    return [
        Pinned(
            operation,
            "pin",
            wanted,
            at_s,
            at_s + 0.5,
            "done",
            epoch=epoch,
            moves=tuple(made),
            confirmed=tuple(map(Confirmed, confirmed)),
            of=len(confirmed),
        ),
        *(Noted(one.key, "pin", epoch, operation, one.to, one.previous) for one in made),
    ]


def _move(key: str, number: int, previous: int | None) -> Move:
    model = key.partition("@")[0]
    before = id_of(model, previous) if previous is not None else None
    return Move(key, before, id_of(model, number))


def answer(
    request: str, at_s: float, key: str, number: int, epoch: int, *, life: int = 1, proxy: str = WEB
) -> list[Fact]:
    """Return a request that was answered well, and the proxy's line about it."""
    model = key.partition("@")[0]
    named = mark(model, number)
    stamp = id_of(model, number), sha(named)
    saw = expected(sources(named, number).injected, request, stream=False)
    return [
        Asked(
            request,
            proxy,
            at_s,
            at_s + 0.1,
            key=key,
            status=200,
            version=stamp[0],
            digest=stamp[1],
            saw=saw,
            mark=named,
            echo=request,
        ),
        Logged(request, proxy, life, key, *stamp, epoch),
    ]


@dataclass
class Made:
    """Facts that can be changed. Each of `change`, `drop` and `add` returns this history."""

    facts: list[Fact] = field(default_factory=list)

    @property
    def history(self) -> History:
        return History.of(self.facts)

    def change(self, kind: type[Fact], which: Callable[[Any], bool], **fields: Any) -> Made:
        """Change the facts of a kind that `which` picks; there must be one at least."""
        assert any(isinstance(fact, kind) and which(fact) for fact in self.facts)
        self.facts = [
            replace(fact, **fields) if isinstance(fact, kind) and which(fact) else fact
            for fact in self.facts
        ]
        return self

    def drop(self, kind: type[Fact], which: Callable[[Any], bool]) -> Made:
        assert any(isinstance(fact, kind) and which(fact) for fact in self.facts)
        self.facts = [f for f in self.facts if not (isinstance(f, kind) and which(f))]
        return self

    def add(self, *facts: Fact) -> Made:
        self.facts += facts
        return self


def good() -> Made:
    """Return a history with three pins, a proxy that was killed long after the second one, and one
    request after each; the proxy's second process begins without the store, from its file."""
    return Made(
        [
            *(fact for number in (1, 2, 3) for fact in version("flip", number)),
            *(fact for number in (1, 2) for fact in version("flop", number)),
            Counted("flip", 3, 3, 3, 3, 3),
            Counted("flop", 2, 2, 2, 2, 2),
            *pin(1, 1.0, (FLIP, 1, None), (FLOP, 1, None), confirmed=()),
            Lived(WEB, 1, 2.0, 3.0, (2.5,), 20.0, "kill"),
            *answer("first", 4.0, FLIP, 1, 1),
            *pin(2, 10.0, (FLIP, 2, 1)),
            *answer("second", 11.0, FLIP, 2, 2),
            Asked("broken", WEB, 20.0, 20.1, key=FLIP, error="ConnectionResetError"),
            Lived(WEB, 2, 21.0, 22.0, (30.0,)),
            *answer("cold", 25.0, FLIP, 2, 2, life=2),
            *pin(3, 40.0, (FLIP, 3, 2), (FLOP, 2, 1)),
            *answer("third", 41.0, FLIP, 3, 3, life=2),
            *answer("other", 42.0, FLOP, 2, 3, life=2),
            Settled(WEB, FLIP, id_of("flip", 3), 0.1),
        ]
    )

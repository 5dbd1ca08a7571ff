"""What is written down while proxies, operators and faults run: plain facts, one JSON line each.

All times are seconds on one clock, the test's own: it takes them right before and right after what
it does, so a fact lies somewhere between its two times. A key is `model@label`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self, get_args

import msgspec

PinOutcome = Literal["done", "unconfirmed", "refused", "unknown"]
RegisterOutcome = Literal["done", "refused", "unknown"]


class _Fact(msgspec.Struct, frozen=True, tag_field="fact", tag=True, omit_defaults=True):
    pass


class Written(_Fact, frozen=True):
    """The content of a version, before anybody registers it. `mark` is in its system prompt and
    in no other's; `injected` is what the proxy has to put into a body for it, as JSON."""

    mark: str
    model: str
    digest: str
    injected: str


class Registered(_Fact, frozen=True):
    """One attempt to register what was written under `mark`; `id` is what the answer said."""

    operation: str
    mark: str
    started_s: float
    ended_s: float
    outcome: RegisterOutcome
    id: str = ""
    digest: str = ""


class Move(msgspec.Struct, frozen=True):
    key: str
    previous: str | None
    to: str


class Confirmed(msgspec.Struct, frozen=True):
    """A proxy as an answer named it; `instance` tells its processes apart, where it is known."""

    proxy: str
    instance: str = ""


class Pinned(_Fact, frozen=True):
    """One attempt of a pin, rollback or undo. The same operation may be attempted repeatedly.

    `wanted` maps keys to the ids that they were to hold, empty where the command chooses them.
    `confirmed` are those who served it, as the answer said at `ended_s`, out of `of`."""

    operation: str
    verb: str
    wanted: dict[str, str]
    started_s: float
    ended_s: float
    outcome: PinOutcome
    epoch: int = 0
    moves: tuple[Move, ...] = ()
    confirmed: tuple[Confirmed, ...] = ()
    of: int = 0
    code: str = ""


class ByHand(_Fact, frozen=True):
    """A pin written past all rules. `registered`: it names a version that exists, so proxies may
    follow it. `spoils`: at least for a while nobody can learn from the store what the label held
    before."""

    key: str
    epoch: int
    id: str
    registered: bool
    spoils: bool
    started_s: float
    ended_s: float


class Asked(_Fact, frozen=True):
    """One request and its answer. `key` is what was asked for, or empty where `wanted` is an
    explicit version. `status` is 0 where no head of an answer came; `error` says how it broke.

    `version` and `digest` are the stamp. What the vendor got is `saw`, the digest of the parsed
    body; `mark` and `echo` are what it read in it: which version's prompt, which request."""

    request: str
    proxy: str
    started_s: float
    ended_s: float
    key: str = ""
    wanted: str = ""
    stream: bool = False
    status: int = 0
    error: str = ""
    code: str = ""
    version: str = ""
    digest: str = ""
    saw: str = ""
    mark: str = ""
    echo: str = ""


class Logged(_Fact, frozen=True):
    """A proxy's own line about a request by label that was answered."""

    request: str
    proxy: str
    life: int
    key: str
    version: str
    digest: str
    epoch: int


class Lived(_Fact, frozen=True):
    """One process of a proxy. `serving_s` is None if it never listened; `found_s` is when it said
    that it had read the store. `ended_by` is `kill` or `stop`, empty if it ended by itself or
    lives on (`ended_s` is None then)."""

    proxy: str
    life: int
    spawned_s: float
    serving_s: float | None = None
    found_s: tuple[float, ...] = ()
    ended_s: float | None = None
    ended_by: str = ""


class Fault(_Fact, frozen=True):
    kind: str
    target: str
    started_s: float
    ended_s: float


class Tampered(_Fact, frozen=True):
    """A version whose bytes in the store were others than those that were registered."""

    id: str
    started_s: float
    ended_s: float


class Kept(_Fact, frozen=True):
    """A version in the store at the end. `computed` is the digest over the bytes that are there,
    empty if there are none; `mark` is what was found in them."""

    model: str
    number: int
    id: str
    digest: str
    computed: str
    mark: str


class Counted(_Fact, frozen=True):
    """The sizes of a model's tables in the store at the end, and its counter."""

    model: str
    versions: int
    meta: int
    digests: int
    short: int
    seq: int


class Noted(_Fact, frozen=True):
    """A change of a label in the store's history at the end; a model's come oldest first."""

    key: str
    kind: str
    epoch: int
    operation: str
    version: str
    previous: str | None


class Settled(_Fact, frozen=True):
    """How long after everything was healed a proxy served for `key` what the store holds; None:
    it did not within the time it was given."""

    proxy: str
    key: str
    holds: str
    after_s: float | None


Fact = (
    Written
    | Registered
    | Pinned
    | ByHand
    | Asked
    | Logged
    | Lived
    | Fault
    | Tampered
    | Kept
    | Counted
    | Noted
    | Settled
)


class History(msgspec.Struct, frozen=True):
    """All facts of a run by their kind, each kind in the order in which it was written down."""

    written: list[Written]
    registered: list[Registered]
    pinned: list[Pinned]
    by_hand: list[ByHand]
    asked: list[Asked]
    logged: list[Logged]
    lived: list[Lived]
    fault: list[Fault]
    tampered: list[Tampered]
    kept: list[Kept]
    counted: list[Counted]
    noted: list[Noted]
    settled: list[Settled]

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Self:
        by_kind: dict[type[Fact], list[Fact]] = {kind: [] for kind in get_args(Fact)}
        for fact in facts:
            by_kind[type(fact)].append(fact)
        return cls(*by_kind.values())

    def all(self) -> list[Fact]:
        return [fact for kind in self.__struct_fields__ for fact in getattr(self, kind)]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a `Recorder` wrote. Raises `msgspec.DecodeError` for anything else."""
        decoder = msgspec.json.Decoder(Fact)
        return cls.of(decoder.decode(line) for line in path.read_bytes().splitlines())


class Recorder:
    """Writes facts down, in memory and in a file that outlives a failed run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: list[Fact] = []
        self._file = path.open("wb", buffering=1024 * 1024)
        self._encoder = msgspec.json.Encoder()

    def now(self) -> float:
        return time.monotonic()

    def add(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._file.write(self._encoder.encode(fact) + b"\n")

    def close(self) -> None:
        self._file.close()

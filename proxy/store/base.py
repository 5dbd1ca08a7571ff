"""The store's interface: register, read, pin, history, watch. The tests in `tests/contracts` run
every implementation.

All methods raise `StoreUnavailable` when the store does not answer within its deadline, and
`StoreUnsafe` when what it holds is damaged or not ours, or its server would lose versions. A write
whose answer was lost raises `OutcomeUnknown` instead: all of it happened, or nothing; repeating
it with the same operation id gives the first result and changes nothing more. An operation id that
was used for something else, and whatever makes no sense, is an `InvalidArgument`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass
from typing import Protocol

from proxy.versions.evidence import Drill, Gate, Result, Verdict
from proxy.versions.record import (
    Event,
    Guards,
    Kind,
    Member,
    Meta,
    Pin,
    PinKey,
    Pins,
    Question,
    Registered,
    Version,
    VersionInfo,
)

# A lease is renewed every second; a proxy that was silent for this long is not live any more.
LEASE_S = 5.0
# A proxy that fell silent without leaving may still be serving: it is missed for this long.
MISSED_S = 600.0

# Whoever asks waits for seconds; whoever connects later may still answer.
QUESTION_S = 30.0
# So many questions are kept at once; the oldest makes room. Operators are few.
MOST_QUESTIONS = 16
# A question names versions; an answer may hold one, as JSON text.
MAX_QUESTION_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 8 * 2**20

# What labels held is remembered for as long as a conversation may be kept at most; so many are. The
# text is read with each change of a pin, by the whole fleet.
FORMER_S = 24 * 3600
MOST_FORMER = 64

# A suite of a thousand cases makes about 200 KiB; a version is evaluated a few times.
MAX_RESULT_BYTES = 2**20
MOST_RESULTS = 200
# A report names every proxy, twice.
MAX_REPORT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is to be registered. `content` is canonical, `digest` is over it."""

    model: str
    content: bytes
    digest: str
    meta: Meta


@dataclass(frozen=True, slots=True)
class Expect:
    """The id that the label must hold for a swap to happen; None: it must hold nothing."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Point one label at one registered version.

    `expect` None means whatever the label holds. `revoke` marks the version that is left.
    `restore` lifts the revocation of the version that is pinned (an undone rollback). `force`
    overrides a freeze and a revocation, and lifts the latter.
    """

    model: str
    label: str
    id: str
    digest: str
    expect: Expect | None = None
    kind: Kind = Kind.PIN
    revoke: bool = False
    restore: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """One atomic swap of one or several pins. `floor` is the highest epoch the fleet reported:
    the new epoch lies above it, even where the store lost writes."""

    changes: tuple[Change, ...]
    operation: str
    by: str
    reason: str = ""
    floor: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """One label's part of a swap. `previous` is None where the label held nothing. `epoch` is
    that of the pin that now holds; a label that held the version already keeps its epoch."""

    model: str
    label: str
    previous: str | None
    id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Swapped:
    """The result of an order. `epoch` is the store's epoch after it. `replayed` says that this
    operation id had been applied before and nothing was changed now."""

    epoch: int
    moved: tuple[Moved, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Attached:
    """A result as it is kept; `created` says that it was not there before."""

    result: Result
    created: bool


@dataclass(frozen=True, slots=True)
class Weakness:
    """How the store could lose what it was given. `refused`: it is not used like that."""

    message: str
    hint: str = ""
    refused: bool = False


class Store(Protocol):
    @property
    def where(self) -> str:
        """Where the store is, for people; without any credential."""

    async def register(self, new: NewVersion, operation: str) -> Registered:
        """Keep `new` under the model's next number, or return the version that has its digest.

        Atomic: numbers have no gap and no duplicate. Appends a `register` event when created.
        Raises `VersionConflict` if the store holds other bytes under this digest.
        """

    async def models(self) -> list[str]:
        """Return the names of all models with a registered version, sorted."""

    async def versions(self, model: str) -> list[VersionInfo]:
        """Return the model's versions by number; empty if it has none."""

    async def version(self, model: str, number: int) -> Version | None:
        """Return one version, its bytes unverified: the reader checks the digest."""

    async def pins(self) -> Pins:
        """Return all pins and the epoch, read together."""

    async def swap(self, order: Order) -> Swapped:
        """Carry out all changes of `order` or none.

        Checked before anything is written, in this order: the operation was not applied to these
        labels before (else the first result is returned, `replayed`); every version exists
        (`UnknownVersion`) and has the digest given (`VersionConflict`); every `expect` holds
        (`Conflict`; a pin that cannot be read meets none); no forward change of a frozen model
        (`Frozen`); no revoked version (`Revoked`); no forward change of `prod` without a verdict
        about the gate in force and what `prod` holds (`Unproven`). `force` overrides these three,
        and the label `drill`, which no app is served from, knows none of them.
        Backward is to a version that the label held before, that is not revoked, and that is not
        there by force only (unless that was ratified); a rollback and an undo go back to those too.
        A change to what the label already holds is none: no event, no new epoch. Otherwise the
        epoch grows by one for the whole order, every changed pin carries it, and each change
        appends one event, a forced one counts as not ratified. What a label held is among the
        former holders from then on (but for `drill`), by the last time it did, until it is revoked.

        Where the fleet is ahead of the store (`floor` above its epoch), a change to what the
        label already holds is one all the same, and no guard stands in its way: the pin is written
        again, above every epoch that a proxy has seen. None stops a change of kind `repair`,
        which puts back what the store lost.
        """

    async def restore(self, version: Version, *, by: str, operation: str) -> Registered:
        """Keep a version that was lost under the number, the id and the digest that it had.

        What is missing of it is written, bytes, metadata and index, and bytes that do not have the
        digest are replaced; metadata that is there stays as it is, and the model's next number lies
        above. `created` says whether anything was written; a `restore` event is appended then.
        Raises `VersionConflict` if the number, the id or the digest belongs to another version,
        and `VersionCorrupt` if the content does not have the digest.
        """

    async def record(self, pin: Pin, *, by: str, operation: str) -> Event:
        """Write a pin that was set by hand into the history, as the label holds it now.

        The event is of kind `record` and has the pin's own epoch and operation; the version counts
        as held by the label from then on, in `prod` of a model with a gate as one that is not
        ratified, and the store's epoch is at least the pin's. Doing so twice gives the first event.
        Raises `Conflict` if the label holds another pin, and `UnknownVersion` if its version is not
        registered under its digest.
        """

    async def history(self, model: str, limit: int = 1000) -> list[Event]:
        """Return the model's events, newest first."""

    async def freeze(
        self, model: str, frozen: bool, *, by: str, reason: str, operation: str
    ) -> Event:
        """Stop forward pins of `model`, or let them again. Doing so twice is not an error."""

    async def guards(self, model: str) -> Guards:
        """Return what stands between `model` and a forward pin."""

    async def attach(self, result: Result, operation: str) -> Attached:
        """Keep a result of the content with `result.digest`, registered or not, for good. Doing so
        twice is keeping it once. Appends an `eval` event when created. Raises `InvalidArgument`
        for a result that is too large, or one too many."""

    async def results(self, model: str, digest: str) -> list[Result]:
        """Return the results of the content with this digest, newest first."""

    async def set_gate(
        self, model: str, gate: Gate | None, *, by: str, reason: str, operation: str
    ) -> Event:
        """Put a gate in force, or none. Appends a `gate` event, whose detail is the gate."""

    async def approve(self, verdict: Verdict) -> None:
        """Keep a verdict, in the place of an earlier one about the same content. A swap of `prod`
        demands one that is about the gate in force, its suite, and what `prod` holds then.

        Raises `GateChanged` if the gate in force is another, and `Unproven` if the version has no
        such result.
        """

    async def ratify(
        self, model: str, label: str, version: str, *, by: str, reason: str, operation: str
    ) -> Event:
        """Accept that this version (an id) was forced to `label`: it counts from then on as one
        that passed. Raises `NothingToRatify` if it was not, or was accepted already."""

    async def note_drill(self, drill: Drill, report: str, *, reason: str, operation: str) -> Event:
        """Keep a drill as the model's last one, and append a `drill` event, whose detail is
        `report`, a JSON text. Raises `InvalidArgument` for one that is too large."""

    async def drills(self) -> list[Drill]:
        """Return the last drill of each model that had one, by model."""

    async def report(self, member: Member) -> None:
        """Keep a proxy's lease for `LEASE_S` seconds, with what it serves."""

    async def leave(self, key: str) -> None:
        """Drop the lease of the member with this key. Dropping one that is not there is not an
        error."""

    async def members(self) -> list[Member]:
        """Return the proxies that reported in the last `MISSED_S` seconds and did not leave, by
        name and instance. Those whose lease has run out are not `live`."""

    async def ask(self, question: Question) -> None:
        """Put a question to the fleet: for `QUESTION_S` seconds it is in what `watch` yields, at
        once for those who watch. Raises `InvalidArgument` for one that is too large."""

    async def answer(self, question: str, member: str, body: bytes) -> None:
        """Answer the question with this id as the member with this key; kept for `QUESTION_S`.
        The last answer of a member counts. Raises `InvalidArgument` for one that is too large."""

    async def answers(self, question: str) -> dict[str, bytes]:
        """Return the answers to a question, by the member's key; empty if there are none."""

    def watch(self, held: Collection[PinKey]) -> AsyncGenerator[Pins, None]:
        """Yield the pins, with what the fleet is asked and what labels held before: once at the
        start, soon after each change, and at least every second.

        Every yield is a fresh read, so it also tells that the store was there. `held` is read at
        each poll: pins in it are noticed even when they were written by hand. Ends only by an
        error (`StoreUnavailable`, whatever is wrong) or when the consumer stops.
        """

    async def ping(self) -> str:
        """Return one line that describes the store and its version, without any credential."""

    async def weaknesses(self) -> list[Weakness]:
        """Return how the store could lose versions or pins, as far as it lets itself be asked,
        worst first; empty if nothing is known."""

    async def close(self) -> None:
        """Release connections and files. The store is not used afterwards."""

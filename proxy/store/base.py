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

from proxy.versions.record import (
    Event,
    Guards,
    Kind,
    Member,
    Meta,
    PinKey,
    Pins,
    Registered,
    Version,
    VersionInfo,
)

# A lease is renewed every second; a proxy that was silent for this long is not live any more.
LEASE_S = 5.0


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


class Store(Protocol):
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
        (`Frozen`; backward is to a version that the label held before and that is not revoked);
        no revoked version (`Revoked`). A change to what the label already holds is none: no
        event, no new epoch. Otherwise the epoch grows by one for the whole order, every changed
        pin carries it, and each change appends one event.
        """

    async def history(self, model: str, limit: int = 1000) -> list[Event]:
        """Return the model's events, newest first."""

    async def freeze(
        self, model: str, frozen: bool, *, by: str, reason: str, operation: str
    ) -> Event:
        """Stop forward pins of `model`, or let them again. Doing so twice is not an error."""

    async def guards(self, model: str) -> Guards:
        """Return what stands between `model` and a forward pin."""

    async def report(self, member: Member) -> None:
        """Keep a proxy's lease for `LEASE_S` seconds, with what it serves."""

    async def leave(self, name: str) -> None:
        """Drop a proxy's lease. Dropping one that is not there is not an error."""

    async def members(self) -> list[Member]:
        """Return the proxies with a live lease, by name."""

    def watch(self, held: Collection[PinKey]) -> AsyncGenerator[Pins, None]:
        """Yield the pins: once at the start, soon after each change, and at least every second.

        Every yield is a fresh read, so it also tells that the store was there. `held` is read at
        each poll: pins in it are noticed even when they were written by hand. Ends only by an
        error (`StoreUnavailable`, whatever is wrong) or when the consumer stops.
        """

    async def ping(self) -> str:
        """Return one line that describes the store and its version, without any credential."""

    async def close(self) -> None:
        """Release connections and files. The store is not used afterwards."""

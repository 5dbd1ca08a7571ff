"""A proxy's picture of the store: pins and versions, immutable, swapped as a whole.

A request takes one reference to a snapshot's version and is served by it to its last byte.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from proxy.dialects.base import Compiled
from proxy.dialects.registry import GENERATING
from proxy.errors import (
    NotPinned,
    RequestError,
    UnknownModel,
    UnknownVersionAsked,
    VersionCorrupt,
    WrongDialect,
)
from proxy.fleet.carried import Carried
from proxy.routing.address import Address
from proxy.routing.retry import targets
from proxy.routing.rules import Rules
from proxy.versions.content import MAX_CONTENT_BYTES, Content
from proxy.versions.identity import load
from proxy.versions.names import ByLabel, ByNumber, split_id
from proxy.versions.record import PROD, Pin, PinKey, Version, VersionInfo
from proxy.versions.routing import VendorModel

# A version of this size takes a millisecond or two to parse and compile; larger ones must not stop
# the loop.
LARGE_BYTES = 32 * 1024

# What labels held before stays at hand: a rollback needs no fetch, a repair has what to give.
MOST_HOLDERS = 32

# A vendor model's id may be any text; in a header line it must not be.
_NOT_IN_A_HEADER = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a version's requests may go; `model_json` is the vendor model's id as JSON, `stamp`
    the beginning of the header that names it."""

    vendor: str
    model: str
    model_json: bytes
    stamp: bytes


def target_of(wanted: VendorModel) -> Target:
    shown = _NOT_IN_A_HEADER.sub("?", wanted.id)
    stamp = f"x-proxy-upstream: {wanted.vendor}/{shown};attempt=".encode()
    return Target(wanted.vendor, wanted.id, msgspec.json.encode(wanted.id), stamp)


@dataclass(frozen=True, slots=True)
class Served:
    """A version made ready: verified, parsed, compiled for the dialects that are spoken here."""

    version: Version
    content: Content = field(repr=False)
    dialects: Carried = field(repr=False, compare=False)
    stamp: bytes = field(repr=False)
    targets: tuple[Target, ...] = field(repr=False)
    rules: Rules = field(repr=False)

    @property
    def id(self) -> str:
        return self.version.info.id

    @property
    def sharing(self) -> int:
        """How many of the targets get requests without a failure of another; they come first."""
        return max(1, len(self.rules.weights))

    def compiled(self, dialect: str) -> Compiled:
        """Return the version for `dialect`. Raises `WrongDialect`."""
        compiled = self.dialects.compiled.get(dialect) or self.dialects.get(dialect)
        if compiled is None:
            raise WrongDialect(hint=f"it can be in {', '.join(self.dialects)}")
        return compiled


Spoken = Callable[[Served], Iterable[str]]
"""Tells in which dialects a version may be asked for here."""


def unknown(_: Served) -> Iterable[str]:
    """Tell of no dialect: whoever asks for one waits until it is compiled."""
    return ()


def make_ready(version: Version, spoken: Spoken = unknown) -> Served:
    """Verify `version` against its digest, parse it, and compile it for what is `spoken`.

    Raises `VersionCorrupt`, or `WrongDialect` if no dialect can carry it.
    """
    if len(version.content) > MAX_CONTENT_BYTES or not _has_its_own_id(version.info):
        raise VersionCorrupt()
    content = load(version.content, version.info.digest)
    info = version.info
    stamp = f"x-proxy-version: {info.id}\r\nx-proxy-digest: {info.digest}\r\n".encode()
    places = tuple(map(target_of, targets(content.model, content.routing)))
    rules = Rules.of(content.routing)
    served = Served(version, content, Carried(content), stamp, places, rules)
    served.dialects.compile(spoken(served))
    if not served.dialects.any_of(GENERATING):
        raise WrongDialect()
    return served


async def ready(version: Version, spoken: Spoken = unknown) -> Served:
    """Do as `make_ready` without stopping the event loop."""
    if len(version.content) <= LARGE_BYTES:
        return make_ready(version, spoken)
    return await asyncio.to_thread(make_ready, version, spoken)


async def compile_for(served: Served, spoken: Spoken) -> None:
    """Have `served` compiled for what is spoken, without stopping the event loop."""
    if len(served.version.content) <= LARGE_BYTES:
        served.dialects.compile(spoken(served))
    else:
        await asyncio.to_thread(served.dialects.compile, spoken(served))


def is_meant(info: VersionInfo, reference: ByNumber) -> bool:
    """Say whether `info` is what was referred to; hex digits, if given, must fit its digest."""
    hexdigits = info.digest.removeprefix("sha256:")
    return info.number == reference.number and hexdigits.startswith(reference.hexdigits)


def _has_its_own_id(info: VersionInfo) -> bool:
    """The id goes into headers and metrics, and is beside the content, not under its digest."""
    parts = split_id(info.id)
    return parts is not None and parts[0] == info.model and is_meant(info, parts[1])


@dataclass(frozen=True, slots=True)
class Pinned:
    pin: Pin
    served: Served


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`models` are the registered names, pinned or not. `loaded` is False before the first one.
    `holders` are versions that labels held before, the latest first."""

    epoch: int = 0
    pinned: Mapping[PinKey, Pinned] = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    loaded: bool = False
    holders: tuple[Served, ...] = ()
    by_text: Mapping[str, Pinned] = field(default_factory=dict, repr=False)
    """What `prod` holds, by the plain name that nearly every request asks for."""

    @classmethod
    def of(
        cls,
        epoch: int,
        pinned: Mapping[PinKey, Pinned],
        models: frozenset[str] = frozenset(),
        holders: tuple[Served, ...] = (),
    ) -> Snapshot:
        """Make a snapshot of these pins; a pinned model counts as registered."""
        known = models | {model for model, _ in pinned}
        by_text = {model: item for (model, label), item in pinned.items() if label == PROD}
        return cls(epoch, dict(pinned), known, True, holders, by_text)

    def by_label(self, address: Address) -> Pinned:
        """Return what a label holds. Raises `NotPinned`, `UnknownModel`, `UnknownVersionAsked`."""
        assert isinstance(address.reference, ByLabel)
        found = self.pinned.get((address.model, address.reference.label))
        if found is None:
            raise self.absent(address.model, address.reference.label)
        return found

    def absent(self, model: str, label: str) -> RequestError:
        """Return why a label that holds nothing for apps cannot answer."""
        if model not in self.models:
            return UnknownModel()
        return NotPinned() if label == PROD else UnknownVersionAsked()

    def versions(self, model: str) -> Iterator[Served]:
        """Yield the versions of `model` that a label holds or held."""
        for (name, _), item in self.pinned.items():
            if name == model:
                yield item.served
        yield from (served for served in self.holders if served.version.info.model == model)

    def current(self) -> frozenset[str]:
        """Return the ids of the versions that a label holds."""
        return frozenset(item.served.id for item in self.pinned.values())

    def serving(self) -> dict[str, str]:
        """Return what is served, as a proxy reports it: `model@label` to version id."""
        return {f"{model}@{label}": p.served.id for (model, label), p in self.pinned.items()}


def former(before: Snapshot, pinned: Mapping[PinKey, Pinned]) -> tuple[Served, ...]:
    """Return the holders after a swap to `pinned`: what is left now comes first."""
    gone = {item.served.id for item in pinned.values()}
    left = []
    for item in before.pinned.values():
        if item.served.id not in gone:
            gone.add(item.served.id)
            left.append(item.served)
    # Not by `Served.id`: a fleet does this at once, for each holder.
    left += [one for one in before.holders if one.version.info.id not in gone]
    return tuple(left[:MOST_HOLDERS])

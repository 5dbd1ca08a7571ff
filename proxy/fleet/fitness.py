"""What speaks against a version at one proxy, and who looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from proxy.errors import StoreUnsafe, UnknownVersionAsked, VersionCorrupt, WrongDialect
from proxy.fleet.snapshot import Served

IN_WORDS = MappingProxyType(
    {
        UnknownVersionAsked.code: "the store has no such version",
        VersionCorrupt.code: "its bytes do not have its digest",
        WrongDialect.code: "no dialect of this release can carry it",
        StoreUnsafe.code: "the store's record of it cannot be read",
    }
)
"""By code: why a version cannot be had whole."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that speaks against a version: a code, and the same in words. `red`: it could not
    be served."""

    code: str
    words: str
    red: bool = False


@dataclass(frozen=True, slots=True)
class Fitness:
    """`code` is why a version could not be served, `words` all such reasons for people; both empty:
    it could. `warnings` are for people too."""

    code: str = ""
    words: str = ""
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Iterable[Trouble]) -> Fitness:
        found = list(dict.fromkeys(found))
        red = [one for one in found if one.red]
        return cls(
            red[0].code if red else "",
            "; ".join(one.words for one in red),
            tuple(one.words for one in found if not one.red),
        )


class Fit(Protocol):
    """Checks a verified version against the vendors and keys of this proxy."""

    async def fitness(self, served: Served, limit_s: float) -> Fitness:
        """Say whether `served` could be served, waiting so long for vendors. Never raises."""

    def dialects(self, served: Served) -> tuple[str, ...]:
        """Return the dialects that the version's first vendor speaks."""


class AlwaysFit:
    """Knows of no vendor, so nothing speaks against a version."""

    async def fitness(self, served: Served, limit_s: float) -> Fitness:
        return Fitness()

    def dialects(self, served: Served) -> tuple[str, ...]:
        return tuple(served.dialects)


ALWAYS_FIT: Fit = AlwaysFit()

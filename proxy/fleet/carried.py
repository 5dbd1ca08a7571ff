"""A version in the dialects that can carry it, each compiled when it is first asked for.

A vendor speaks few of them and an app one. Compiling for all takes longer than fetching, verifying
and parsing a version together, and each compiled form holds the version's texts once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy.dialects.base import Compiled
from proxy.dialects.registry import DIALECTS
from proxy.errors import WrongDialect
from proxy.versions.content import Content


class Carried:
    """The dialects that can carry `content`, by name. `compiled` are those that were asked for;
    several threads may ask, at worst they compile the same twice."""

    __slots__ = ("_content", "_foreign", "compiled")

    def __init__(self, content: Content) -> None:
        self.compiled: dict[str, Compiled] = {}
        self._foreign: set[str] = set()
        self._content = content

    def __contains__(self, dialect: str) -> bool:
        return self.get(dialect) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in DIALECTS if name in self)

    def get(self, dialect: str) -> Compiled | None:
        """Return the version compiled for `dialect`; None if that cannot carry it."""
        compiled = self.compiled.get(dialect)
        if compiled is None and dialect in DIALECTS and dialect not in self._foreign:
            compiled = self._compile(dialect)
        return compiled

    def compile(self, dialects: Iterable[str]) -> None:
        """Have it compiled for those of `dialects` that can carry it, before somebody waits."""
        for name in dialects:
            self.get(name)

    def any_of(self, dialects: Iterable[str]) -> bool:
        """Say whether one of them can carry it. Those that are compiled are looked at first."""
        names = sorted(dialects, key=lambda name: name not in self.compiled)
        return any(name in self for name in names)

    def _compile(self, dialect: str) -> Compiled | None:
        try:
            compiled = DIALECTS[dialect].compile(self._content)
        except WrongDialect:
            self._foreign.add(dialect)
            return None
        self.compiled[dialect] = compiled
        return compiled

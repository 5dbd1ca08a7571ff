"""Versions that are held without a label pointing to them: asked for by number, prepared for a
pin, or what a label held before."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.errors import StoreUnsafe, UnknownVersionAsked, VersionCorrupt
from proxy.fleet.snapshot import (
    Served,
    Snapshot,
    Spoken,
    compile_for,
    is_meant,
    ready,
    unknown,
)
from proxy.routing.address import Address
from proxy.store.base import Store
from proxy.versions.names import ByNumber, split_id
from proxy.versions.record import Version


class Held:
    """Holds the last `limit` versions that were fetched, by use, compiled for what is `spoken`."""

    def __init__(self, store: Store, limit: int, spoken: Spoken = unknown) -> None:
        self._store = store
        self._limit = limit
        self._spoken = spoken
        self._held: dict[tuple[str, int], Served] = {}

    def __iter__(self) -> Iterator[Served]:
        return iter(self._held.values())

    def find(self, address: Address, snapshot: Snapshot) -> Served | None:
        """Return a version that a label points to, that a label held, or that is held; or None.

        Raises `UnknownVersionAsked` for hex digits that are not those of the number.
        """
        reference = _reference(address)
        for served in snapshot.versions(address.model):
            if is_meant(served.version.info, reference):
                return served
        held = self._taken(address.model, reference.number)
        return None if held is None else _checked(held, reference)

    async def fetch(self, address: Address) -> Served:
        """Get a version from the store and hold it.

        Raises `StoreUnavailable`, `UnknownVersionAsked`, `VersionCorrupt`, `WrongDialect`.
        """
        reference = _reference(address)
        try:
            version = await self._read(address.model, reference.number)
        except StoreUnsafe:
            raise VersionCorrupt() from None
        served = _checked(await ready(version, self._spoken), reference)
        self._keep(served)
        return served

    async def verified(self, id: str, digest: str, snapshot: Snapshot) -> Served:
        """Return the version with this id and digest: from what is held, else from the store.

        Raises as `fetch` does, and `StoreUnsafe` if the store's record of it cannot be read.
        """
        full = split_id(id)
        if full is None:
            raise UnknownVersionAsked()
        model, reference = full
        taken = self._taken(model, reference.number)  # nearly always: it was prepared
        if taken is not None and _is(taken.version, id, digest):
            return taken
        for served in snapshot.versions(model):
            if _is(served.version, id, digest):
                await compile_for(served, self._spoken)  # from disk it is for little
                return served
        version = await self._read(model, reference.number)
        if version.info.id != id:
            raise UnknownVersionAsked()
        if version.info.digest != digest:
            raise VersionCorrupt()
        served = await ready(version, self._spoken)
        self._keep(served)
        return served

    async def _read(self, model: str, number: int) -> Version:
        version = await self._store.version(model, number)
        if version is None:
            raise UnknownVersionAsked()
        return version

    def _taken(self, model: str, number: int) -> Served | None:
        served = self._held.get((model, number))
        if served is not None:
            self._keep(served)
        return served

    def _keep(self, served: Served) -> None:
        """Make `served` the one that was used last."""
        info = served.version.info
        key = (info.model, info.number)
        self._held.pop(key, None)
        while len(self._held) >= self._limit:
            self._held.pop(next(iter(self._held)))
        self._held[key] = served


def _reference(address: Address) -> ByNumber:
    assert isinstance(address.reference, ByNumber)
    return address.reference


def _checked(served: Served, reference: ByNumber) -> Served:
    if not is_meant(served.version.info, reference):
        raise UnknownVersionAsked()
    return served


def _is(version: Version, id: str, digest: str) -> bool:
    return (version.info.id, version.info.digest) == (id, digest)

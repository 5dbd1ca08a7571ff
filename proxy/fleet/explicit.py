"""Versions that apps ask for by number: no label needs to point to them."""

from __future__ import annotations

from proxy.errors import StoreUnsafe, UnknownVersionAsked, VersionCorrupt
from proxy.fleet.snapshot import Served, Snapshot, is_meant, ready
from proxy.routing.address import Address
from proxy.store.base import Store
from proxy.versions.names import ByNumber


class Explicit:
    """Holds the last `limit` versions that were fetched, by use."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._held: dict[tuple[str, int], Served] = {}

    def find(self, address: Address, snapshot: Snapshot) -> Served | None:
        """Return a version that a label points to or that is held, or None.

        Raises `UnknownVersionAsked` for hex digits that are not those of the number.
        """
        reference = _reference(address)
        for pinned in snapshot.pinned.values():
            if pinned.pin.model == address.model and _is(pinned.served, reference):
                return pinned.served
        key = (address.model, reference.number)
        held = self._held.get(key)
        if held is None:
            return None
        self._hold(key, held)
        return _checked(held, reference)

    async def fetch(self, address: Address) -> Served:
        """Get a version from the store and hold it.

        Raises `StoreUnavailable`, `UnknownVersionAsked`, `VersionCorrupt`, `WrongDialect`.
        """
        reference = _reference(address)
        try:
            version = await self._store.version(address.model, reference.number)
        except StoreUnsafe:
            raise VersionCorrupt() from None
        if version is None:
            raise UnknownVersionAsked()
        served = _checked(await ready(version), reference)
        self._hold((address.model, reference.number), served)
        return served

    def _hold(self, key: tuple[str, int], served: Served) -> None:
        """Make `served` the one that was used last."""
        self._held.pop(key, None)
        while len(self._held) >= self._limit:
            self._held.pop(next(iter(self._held)))
        self._held[key] = served


def _reference(address: Address) -> ByNumber:
    assert isinstance(address.reference, ByNumber)
    return address.reference


def _checked(served: Served, reference: ByNumber) -> Served:
    if not _is(served, reference):
        raise UnknownVersionAsked()
    return served


def _is(served: Served, reference: ByNumber) -> bool:
    return is_meant(served.version.info, reference)

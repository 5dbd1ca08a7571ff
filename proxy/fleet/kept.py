"""What is written down of a snapshot: pins and versions' bytes, under a digest of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from proxy.errors import RequestError
from proxy.fleet.snapshot import Pinned, Served, Spoken, make_ready
from proxy.versions.identity import digest
from proxy.versions.record import Pin, Version, VersionInfo

SCHEMA = 1

T = TypeVar("T")


class Kept(msgspec.Struct, frozen=True):
    pin: Pin
    info: VersionInfo
    content: str


class Former(msgspec.Struct, frozen=True):
    info: VersionInfo
    content: str


class _Sealed(msgspec.Struct, frozen=True):
    """`digest` is over the bytes of `saved`."""

    schema: int
    digest: str
    saved: msgspec.Raw


def seal(what: msgspec.Struct) -> bytes:
    """Return `what` as one line of JSON without its end."""
    saved = msgspec.json.encode(what)
    return msgspec.json.encode(_Sealed(SCHEMA, digest(saved), msgspec.Raw(saved)))


def unseal(data: bytes, type: type[T]) -> T | None:
    """Return what was sealed; None if it is damaged, of another release, or something else."""
    try:
        sealed = msgspec.json.decode(data, type=_Sealed)
        if sealed.schema != SCHEMA or digest(bytes(sealed.saved)) != sealed.digest:
            return None
        return msgspec.json.decode(sealed.saved, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def kept(pinned: Pinned) -> Kept:
    version = pinned.served.version
    return Kept(pinned.pin, version.info, version.content.decode())


def former(served: Served) -> Former:
    return Former(served.version.info, served.version.content.decode())


def verified(items: Iterable[Kept], spoken: Spoken) -> Iterator[Pinned]:
    """Yield the pins whose versions are what they say, compiled for what is `spoken`."""
    for item in items:
        for served in whole([item], spoken):
            if item.pin.digest == item.info.digest and item.pin.id == item.info.id:
                yield Pinned(item.pin, served)


def whole(items: Iterable[Kept | Former], spoken: Spoken) -> Iterator[Served]:
    """Yield the versions that are what their digests say."""
    for item in items:
        with contextlib.suppress(RequestError):
            yield make_ready(Version(item.info, item.content.encode()), spoken)


def sync_directory(directory: Path) -> None:
    """Have the names in `directory` outlive the machine."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

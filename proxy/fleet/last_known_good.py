"""Last known good: the snapshot on disk, for a start without the store.

One JSON file with pins and version bytes. Written beside and renamed, the one before is kept;
read with every version verified against its digest. It holds prompts, so it is private (0600).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from proxy.errors import RequestError
from proxy.fleet.snapshot import Pinned, Snapshot, make_ready
from proxy.versions.record import Pin, Version, VersionInfo

FILE = "last-known-good.json"
SCHEMA = 1

# A thousand versions of the largest size would still fit; anything beyond is not ours.
MAX_BYTES = 1024 * 1024 * 1024


class _Kept(msgspec.Struct, frozen=True):
    pin: Pin
    info: VersionInfo
    content: str


class _File(msgspec.Struct, frozen=True):
    schema: int
    epoch: int
    kept: list[_Kept]


def write(directory: Path, snapshot: Snapshot) -> None:
    """Save `snapshot`. Blocking: call it in a thread. Raises `OSError`; the old file stays then."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = [
        _Kept(p.pin, p.served.version.info, p.served.version.content.decode())
        for p in snapshot.pinned.values()
    ]
    data = msgspec.json.encode(_File(SCHEMA, snapshot.epoch, kept))
    target, fresh = directory / FILE, directory / f"{FILE}.new"
    _write_durably(fresh, data)
    if target.exists():
        target.replace(_previous(directory))
    fresh.replace(target)
    _sync_directory(directory)


def _write_durably(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _previous(directory: Path) -> Path:
    return directory / f"{FILE}.previous"


def read(directory: Path) -> Snapshot | None:
    """Return the snapshot on disk, or the one before it; None if neither can be used. Blocking."""
    for path in (directory / FILE, _previous(directory)):
        snapshot = _read(path)
        if snapshot is not None:
            return snapshot
    return None


def _read(path: Path) -> Snapshot | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None
    return _snapshot(file) if file.schema == SCHEMA else None


def _snapshot(file: _File) -> Snapshot | None:
    pinned = list(_verified(file.kept))
    if len(pinned) < len(file.kept):
        # One version that is not what it was makes the file as a whole doubtful.
        return None
    return Snapshot.of(file.epoch, {(item.pin.model, item.pin.label): item for item in pinned})


def _verified(kept: Iterable[_Kept]) -> Iterable[Pinned]:
    for item in kept:
        try:
            served = make_ready(Version(item.info, item.content.encode()))
        except RequestError:
            continue
        if item.pin.digest == item.info.digest and item.pin.id == item.info.id:
            yield Pinned(item.pin, served)

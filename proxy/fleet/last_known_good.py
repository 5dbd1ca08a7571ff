"""Last known good: the snapshot on disk, for a start without the store.

One JSON file with pins and version bytes, under a digest of its own. Written beside and renamed,
the one before is kept; read with every version verified. It holds prompts, so it is private (0600).

Several proxies may share a directory: the first to save locks it and saves from then on, all may
read. The lock goes with the process, so it is never stale.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from proxy.errors import RequestError
from proxy.fleet.snapshot import Pinned, Served, Snapshot, Spoken, make_ready, unknown
from proxy.versions.identity import digest
from proxy.versions.record import Pin, Version, VersionInfo

FILE = "last-known-good.json"
PREVIOUS = f"{FILE}.previous"
FRESH = f"{FILE}.new"
LOCK = "last-known-good.lock"
SCHEMA = 1

# A thousand versions of the largest size would still fit; anything beyond is not ours.
MAX_BYTES = 1024 * 1024 * 1024


class _Kept(msgspec.Struct, frozen=True):
    pin: Pin
    info: VersionInfo
    content: str


class _Former(msgspec.Struct, frozen=True):
    info: VersionInfo
    content: str


class _Saved(msgspec.Struct, frozen=True):
    """`holders` came later: a file without them is as good."""

    store: str
    epoch: int
    models: list[str]
    kept: list[_Kept]
    holders: list[_Former] = []


class _File(msgspec.Struct, frozen=True):
    """`digest` is over the bytes of `saved`."""

    schema: int
    digest: str
    saved: msgspec.Raw


class LastKnownGood:
    """The file in `directory`, for a proxy that follows `store`. All methods block: call them in
    a thread; they may be called from several."""

    def __init__(self, directory: Path, store: str = "") -> None:
        self._directory = directory
        self._store = store
        self._one_at_a_time = threading.Lock()
        self._lock: int | None = None

    def write(self, snapshot: Snapshot) -> None:
        """Save `snapshot`. Raises `OSError`, also if another proxy saves here; the file that is
        there stays then."""
        with self._one_at_a_time:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._lock is None:
                self._lock = _locked(self._directory / LOCK)
            _replace(self._directory, _encode(snapshot, self._store))

    def read(self, spoken: Spoken = unknown) -> Snapshot | None:
        """Return the snapshot on disk, or the one before it; None if neither can be used. What is
        pinned is compiled for what is `spoken`.

        Epochs that another store counted say nothing about this one's: they are read as 0, so
        that whatever this store holds is followed.
        """
        for path in (self._directory / FILE, self._directory / PREVIOUS):
            saved = _read(path)
            rebase = saved is not None and saved.store != self._store
            snapshot = _snapshot(saved, spoken, rebase=rebase) if saved else None
            if snapshot is not None:
                return snapshot
        return None

    def release(self) -> None:
        """Let another proxy save here; waits for a write that is under way."""
        with self._one_at_a_time:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None


def read_file(path: Path) -> Snapshot | None:
    """Return the snapshot in one file, with the epochs that its store counted; None if it cannot
    be used. Blocks."""
    saved = _read(path)
    return _snapshot(saved, unknown, rebase=False) if saved else None


def _locked(path: Path) -> int:
    """Return a descriptor that holds the lock until it is closed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(errno.EBUSY, "another proxy saves to this directory") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _encode(snapshot: Snapshot, store: str) -> bytes:
    kept = [
        _Kept(p.pin, p.served.version.info, p.served.version.content.decode())
        for p in snapshot.pinned.values()
    ]
    holders = [
        _Former(served.version.info, served.version.content.decode()) for served in snapshot.holders
    ]
    saved = msgspec.json.encode(
        _Saved(store, snapshot.epoch, sorted(snapshot.models), kept, holders)
    )
    return msgspec.json.encode(_File(SCHEMA, digest(saved), msgspec.Raw(saved)))


def _replace(directory: Path, data: bytes) -> None:
    """Put `data` in the place of the file. A crash leaves that or the one before, whole."""
    target, fresh = directory / FILE, directory / FRESH
    _write_durably(fresh, data)
    if target.exists():
        target.replace(directory / PREVIOUS)
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


def _read(path: Path) -> _Saved | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        if file.schema != SCHEMA or digest(bytes(file.saved)) != file.digest:
            return None
        return msgspec.json.decode(file.saved, type=_Saved)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _snapshot(saved: _Saved, spoken: Spoken, *, rebase: bool) -> Snapshot | None:
    pinned = list(_verified(saved.kept, spoken))
    holders = tuple(_whole(saved.holders, unknown))
    if len(pinned) < len(saved.kept):
        # One version that is not what it was makes the file as a whole doubtful.
        return None
    if rebase:
        pinned = [replace(item, pin=replace(item.pin, epoch=0)) for item in pinned]
    by_key = {(item.pin.model, item.pin.label): item for item in pinned}
    return Snapshot.of(0 if rebase else saved.epoch, by_key, frozenset(saved.models), holders)


def _verified(kept: Iterable[_Kept], spoken: Spoken) -> Iterable[Pinned]:
    for item in kept:
        for served in _whole([item], spoken):
            if item.pin.digest == item.info.digest and item.pin.id == item.info.id:
                yield Pinned(item.pin, served)


def _whole(kept: Iterable[_Kept | _Former], spoken: Spoken) -> Iterable[Served]:
    """Yield the versions that are what their digests say."""
    for item in kept:
        with contextlib.suppress(RequestError):
            yield make_ready(Version(item.info, item.content.encode()), spoken)

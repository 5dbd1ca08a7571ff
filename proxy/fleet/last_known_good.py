"""Last known good: the snapshot on disk, for a start without the store.

One JSON file with pins and version bytes, under a digest of its own. Written beside and renamed,
the one before is kept; read with every version verified, and with what was noted since
(`notes.py`). It holds prompts, so it is private (0600).

Several proxies may share a directory: the first to save locks it and saves from then on, all may
read. The lock goes with the process, so it is never stale.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from dataclasses import replace
from pathlib import Path

import msgspec

from proxy.fleet.kept import (
    Former,
    Kept,
    former,
    kept,
    seal,
    sync_directory,
    unseal,
    verified,
    whole,
)
from proxy.fleet.notes import Notes, continued
from proxy.fleet.snapshot import Snapshot, Spoken, unknown

FILE = "last-known-good.json"
PREVIOUS = f"{FILE}.previous"
FRESH = f"{FILE}.new"
RECENT = f"{FILE}.recent"
LOCK = "last-known-good.lock"

# A thousand versions of the largest size would still fit; anything beyond is not ours.
MAX_BYTES = 1024 * 1024 * 1024


class _Saved(msgspec.Struct, frozen=True):
    """`holders` came later: a file without them is as good."""

    store: str
    epoch: int
    models: list[str]
    kept: list[Kept]
    holders: list[Former] = []


class LastKnownGood:
    """The file in `directory`, for a proxy that follows `store`. All methods block: call them in
    a thread; they may be called from several."""

    def __init__(self, directory: Path, store: str = "") -> None:
        self._directory = directory
        self._store = store
        self._one_at_a_time = threading.Lock()
        self._lock: int | None = None
        self._notes = Notes(directory / RECENT, store)
        self._saved = Snapshot()

    def write(self, snapshot: Snapshot) -> None:
        """Save `snapshot` as a whole. Raises `OSError`, also if another proxy saves here; what is
        there stays then."""
        with self._one_at_a_time:
            self._claim()
            self._write(snapshot)

    def keep(self, snapshot: Snapshot) -> None:
        """Note what `snapshot` has beyond what was saved, or save it as a whole. Raises as
        `write`."""
        with self._one_at_a_time:
            self._claim()
            if not (self._saved.loaded and self._notes.add(snapshot, self._saved)):
                self._write(snapshot)

    def read(self, spoken: Spoken = unknown) -> Snapshot | None:
        """Return what was served last: the snapshot on disk, or the one before it, and what was
        noted since; None if nothing can be used. What is pinned is compiled for what is `spoken`.

        Epochs that another store counted say nothing about this one's: they are read as 0, so
        that whatever this store holds is followed.
        """
        saved, own = self._read_saved(spoken)
        self._saved = saved if saved is not None and own else Snapshot()
        return continued(saved, self._notes.read(), spoken)

    def release(self) -> None:
        """Let another proxy save here; waits for a write that is under way."""
        with self._one_at_a_time:
            self._notes.close()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _read_saved(self, spoken: Spoken) -> tuple[Snapshot | None, bool]:
        """Return what was saved as a whole, and whether it was for this store."""
        for path in (self._directory / FILE, self._directory / PREVIOUS):
            saved = _read(path)
            own = saved is not None and saved.store == self._store
            snapshot = _snapshot(saved, spoken, rebase=not own) if saved else None
            if snapshot is not None:
                return snapshot, own
        return None, False

    def _claim(self) -> None:
        if self._lock is None:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(self._directory / LOCK)

    def _write(self, snapshot: Snapshot) -> None:
        _replace(self._directory, _encode(snapshot, self._store))
        self._saved = snapshot
        self._notes.empty()


def read_file(path: Path) -> Snapshot | None:
    """Return the snapshot in one file, and what was noted beside it, with the epochs that its store
    counted; None if it cannot be used. Blocks."""
    saved = _read(path)
    snapshot = _snapshot(saved, unknown, rebase=False) if saved else None
    if saved is None or snapshot is None:
        return None
    notes = Notes(path.with_name(RECENT), saved.store).read() if path.name == FILE else []
    return continued(snapshot, notes, unknown)


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
    pins = list(map(kept, snapshot.pinned.values()))
    holders = list(map(former, snapshot.holders))
    return seal(_Saved(store, snapshot.epoch, sorted(snapshot.models), pins, holders))


def _replace(directory: Path, data: bytes) -> None:
    """Put `data` in the place of the file. A crash leaves that or the one before, whole."""
    target, fresh = directory / FILE, directory / FRESH
    _write_durably(fresh, data)
    if target.exists():
        target.replace(directory / PREVIOUS)
    fresh.replace(target)
    sync_directory(directory)


def _write_durably(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> _Saved | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        return unseal(path.read_bytes(), _Saved)
    except OSError:
        return None


def _snapshot(saved: _Saved, spoken: Spoken, *, rebase: bool) -> Snapshot | None:
    pinned = list(verified(saved.kept, spoken))
    holders = tuple(whole(saved.holders, unknown))
    if len(pinned) < len(saved.kept):
        # One version that is not what it was makes the file as a whole doubtful.
        return None
    if rebase:
        pinned = [replace(item, pin=replace(item.pin, epoch=0)) for item in pinned]
    by_key = {(item.pin.model, item.pin.label): item for item in pinned}
    return Snapshot.of(0 if rebase else saved.epoch, by_key, frozenset(saved.models), holders)

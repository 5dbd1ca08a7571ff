"""What was switched to since last known good was saved: a line for each switch.

Saving writes all that is held, some 150 KB as a rule; a line what a switch brought. Each line holds
all pins that the saved file lacks, under a digest of its own: what a crash left of a line is none,
and the last whole one is enough. Those before it tell what labels held.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from proxy.fleet.kept import Kept, kept, seal, sync_directory, unseal, verified
from proxy.fleet.snapshot import Pinned, Snapshot, Spoken, former

# After so many lines or bytes the whole is saved anew: a start has to read them.
MOST_LINES = 16
MOST_BYTES = 256 * 1024

# A file of ours is not much longer.
_LONGEST_FILE_BYTES = 4 * MOST_BYTES

_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Noted(msgspec.Struct, frozen=True):
    """What a snapshot of `store` had at `epoch` beyond one that was saved at epoch `since`."""

    store: str
    since: int
    epoch: int
    models: list[str]
    kept: list[Kept]


class Notes:
    """The file at `path`, for a proxy that follows `store`. All methods block, and are called one
    at a time."""

    def __init__(self, path: Path, store: str) -> None:
        self._path = path
        self._store = store
        self._file: int | None = None
        self._lines = self._bytes = 0

    def add(self, snapshot: Snapshot, saved: Snapshot) -> bool:
        """Note what `snapshot` has beyond what was `saved`, durably. Return False where that
        is much, or something is gone: the whole has to be saved. Raises `OSError`."""
        changed = list(beyond(snapshot, saved))
        size = sum(len(one.served.version.content) for one in changed)
        much = self._lines >= MOST_LINES or self._bytes + size > MOST_BYTES
        if much or not saved.pinned.keys() <= snapshot.pinned.keys():
            return False
        models = sorted(snapshot.models - saved.models)
        noted = Noted(self._store, saved.epoch, snapshot.epoch, models, list(map(kept, changed)))
        # After a line that was cut this one begins anew.
        self._append(b"\n%b\n" % seal(noted))
        return True

    def empty(self) -> None:
        """Begin anew: what was noted is saved."""
        self._lines = self._bytes = 0
        with suppress(OSError):  # what is noted of earlier epochs does no harm
            os.truncate(self._path, 0)

    def read(self) -> list[Noted]:
        """Return what the lines about this store say, the last one last."""
        try:
            with self._path.open("rb") as file:
                data = file.read(_LONGEST_FILE_BYTES)
        except OSError:
            return []
        lines = [line for line in data.split(b"\n") if line]
        self._lines, self._bytes = len(lines), len(data)
        found = (unseal(line, Noted) for line in lines)
        return [one for one in found if one is not None and one.store == self._store]

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, line: bytes) -> None:
        fresh = self._file is None
        if self._file is None:
            self._file = os.open(self._path, _APPENDING, 0o600)
        if os.write(self._file, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._file)
        if fresh:
            sync_directory(self._path.parent)
        self._lines, self._bytes = self._lines + 1, self._bytes + len(line)


def beyond(snapshot: Snapshot, saved: Snapshot) -> Iterator[Pinned]:
    """Yield the pins of `snapshot` that `saved` lacks."""
    for key, item in snapshot.pinned.items():
        before = saved.pinned.get(key)
        if before is None or before.pin != item.pin:
            yield item


def continued(saved: Snapshot | None, notes: Iterable[Noted], spoken: Spoken) -> Snapshot | None:
    """Return what was served last: `saved` and what was noted since.

    A note that holds a version that is not what it was is not used. Nor is one without the file
    that it continues: labels that it does not name would seem to hold nothing.
    """
    now = base = saved or Snapshot()
    for noted in notes:
        pinned = list(verified(noted.kept, spoken))
        if len(pinned) == len(noted.kept) and noted.since <= base.epoch:
            now = _after(now, noted, pinned)
    return saved if now is base else now


def _after(before: Snapshot, noted: Noted, pinned: Iterable[Pinned]) -> Snapshot:
    after = dict(before.pinned)
    for item in pinned:
        key = (item.pin.model, item.pin.label)
        held = before.pinned.get(key)
        if held is None or held.pin.epoch < item.pin.epoch:
            after[key] = item
    models = before.models | set(noted.models)
    return Snapshot.of(max(before.epoch, noted.epoch), after, models, former(before, after))

"""What an eval has heard so far, on disk, so that a run that was broken off goes on.

One file for a version and a suite: a first line says what it is about, each further one is one
answer as it was scored. A line is written at once and whole; one that was torn is left out. The
file goes when the result is kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

FORMAT = 1

# Half of a result from today and half from last week would say nothing about either.
MAX_AGE_S = 24 * 3600.0

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


class About(msgspec.Struct, frozen=True):
    """What a file is about: whatever makes answers comparable. `place` says who answers."""

    model: str
    digest: str
    suite: str
    place: str
    format: int = FORMAT

    @property
    def name(self) -> str:
        """A file name that no other version, suite or place has."""
        place = f"-{self.place}" if self.place else ""
        return f"{self.model}-{self.digest[7:23]}-{self.suite[7:23]}{place}.jsonl"


class Scored(msgspec.Struct, frozen=True):
    """One answer to the case `case`, the `turn`-th repeat from 0, and how it was scored."""

    case: str
    turn: int
    score: float
    failed: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: float = 0.0
    error: str = ""
    simulated: bool = False


class Notes(Protocol):
    """Where what was heard is noted. `known` is what was noted before, by another run."""

    known: tuple[Scored, ...]

    def add(self, scored: Scored) -> None: ...

    def done(self) -> None:
        """Forget all of it: the result is kept."""

    def close(self) -> None: ...


@dataclass
class NoNotes:
    """For a place where nothing can be written: an eval then begins anew each time."""

    known: tuple[Scored, ...] = ()

    def add(self, scored: Scored) -> None: ...

    def done(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class FileNotes:
    """An open file, locked for this run. A disk that fills up costs the notes, not the run."""

    path: Path
    descriptor: int
    known: tuple[Scored, ...]
    _empty: bool = False

    def __post_init__(self) -> None:
        self._empty = not self.known

    def add(self, scored: Scored) -> None:
        self._empty = False
        with contextlib.suppress(OSError):
            os.write(self.descriptor, msgspec.json.encode(scored) + b"\n")

    def done(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._empty:
            self.done()
        os.close(self.descriptor)


def open_notes(directory: Path, about: About, *, fresh: bool, now_s: float) -> Notes:
    """Return what was noted about the same before, and go on with it; `now_s` is the time of day.

    Begins anew with `fresh`, and with what is old or about something else. Where the file cannot be
    had, or another run has it, nothing is noted.
    """
    path = directory / about.name
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return NoNotes()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        old = fresh or now_s - os.fstat(descriptor).st_mtime > MAX_AGE_S
        known = None if old else _read(path, about)
        if known is None:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, msgspec.json.encode(about) + b"\n")
        else:
            _end_line(path, descriptor)
    except OSError:
        os.close(descriptor)
        return NoNotes()
    return FileNotes(path, descriptor, known or ())


def _end_line(path: Path, descriptor: int) -> None:
    """End a torn line, so that the next one stands by itself."""
    if not path.read_bytes().endswith(b"\n"):
        os.write(descriptor, b"\n")


def _read(path: Path, about: About) -> tuple[Scored, ...] | None:
    """Return what is noted; None if the file is not about this."""
    first, *rest = path.read_bytes().split(b"\n")
    try:
        if msgspec.json.decode(first, type=About) != about:
            return None
    except _UNREADABLE:
        return None
    return tuple(_readable(rest))


def _readable(lines: list[bytes]) -> Iterator[Scored]:
    for line in lines:
        with contextlib.suppress(*_UNREADABLE):
            yield msgspec.json.decode(line, type=Scored)

"""What follows from a history's facts, worked out once: when each label held what, which proxy was
down when, what a proxy had promised, and what a process that was started anew could know.

A proxy saves its snapshot right after a switch, but does not wait for the disk before it confirms.
So a process that is killed within moments of a switch leaves a file that may be behind, and the
next process, if it cannot read the store, serves that: an older version, until the store is back.
That is known (docs/history-checker.md) and the only thing that is excused here, exactly so far: the
proxy was awake for less than `SAVED_WITHIN_S` between the promise and its end, and the process that
answers had not read the store since, or only a pin of a version there that cannot be served.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tests.history.record import (
    Asked,
    ByHand,
    Confirmed,
    Fault,
    History,
    Lived,
    Logged,
    Pinned,
    Written,
)

# Writing a small file and two fsyncs, in a thread, on a machine that is busy with this very test.
SAVED_WITHIN_S = 3.0

FREEZE_PROXY = "freeze proxy"
PIN_TAMPERED = "pin what is tampered with"

Span = tuple[float, float]
Place = tuple[str, str]
"""A proxy and a key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a label held from `epoch` on. It was not there before `began_s`; None: who put it
    there is not in the history. `changed_s` is when it certainly was."""

    epoch: int
    version: str
    previous: str | None
    operation: str
    began_s: float | None
    changed_s: float | None
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Promise:
    """From `at_s` on this proxy serves no older epoch for this key; `fact` is why: a confirmation,
    or an answer."""

    at_s: float
    epoch: int
    fact: Asked | Pinned


class Floor:
    """The promises of one proxy for one key, by time."""

    def __init__(self, promises: Iterable[Promise]) -> None:
        self.promises = sorted(promises, key=lambda promise: promise.at_s)
        self._at_s = [promise.at_s for promise in self.promises]
        self._highest: list[Promise] = []
        for promise in self.promises:
            last = self._highest[-1] if self._highest else promise
            self._highest.append(promise if promise.epoch > last.epoch else last)

    def before(self, moment_s: float) -> Promise | None:
        """Return the highest promise that was made before `moment_s`."""
        place = bisect.bisect_left(self._at_s, moment_s)
        return self._highest[place - 1] if place else None


@dataclass(frozen=True, slots=True)
class Known:
    history: History
    written: Mapping[str, Written]
    marks: Mapping[str, str]
    digests: Mapping[str, str]
    timelines: Mapping[str, Sequence[Entry]]
    lines: Mapping[tuple[str, str], Logged]
    lives: Mapping[str, Sequence[Lived]]
    down: Mapping[str, Sequence[Span]]
    frozen: Mapping[str, Sequence[Span]]
    spoiled: Mapping[str, Sequence[Span]]
    floors: Mapping[Place, Floor]
    seen_s: Mapping[Confirmed, float]

    @classmethod
    def of(cls, history: History) -> Self:
        times = timelines(history)
        lines = {(line.proxy, line.request): line for line in history.logged}
        lives = by_proxy(history.lived)
        return cls(
            history=history,
            written={one.mark: one for one in history.written},
            marks=_marks(history),
            digests=_digests(history),
            timelines=times,
            lines=lines,
            lives=lives,
            down={proxy: down(each) for proxy, each in lives.items()},
            frozen=_spans(history.fault, FREEZE_PROXY),
            spoiled=joined(spoiled(history.by_hand, times), unservable(history.fault)),
            floors=floors(history, times, lines),
            seen_s=seen(history.pinned),
        )

    def line(self, asked: Asked) -> Logged | None:
        return self.lines.get((asked.proxy, asked.request))

    def life(self, asked: Asked) -> int:
        """Return which process answered: the one that said so, else the one that was there."""
        line = self.line(asked)
        if line is not None:
            return line.life
        begun = [one.life for one in self.lives[asked.proxy] if one.spawned_s <= asked.ended_s]
        return max(begun, default=0)

    def reaches(self, asked: Asked, epoch: int) -> bool:
        """Say whether what answered was not older than `epoch`. Without the proxy's own line,
        which is lost with a process that is killed, the version must have been held since."""
        line = self.line(asked)
        if line is not None:
            return line.epoch >= epoch
        return any(
            entry.version == asked.version and entry.epoch >= epoch
            for entry in self.timelines.get(asked.key, ())
        )

    def owes(self, asked: Asked, promise: Promise) -> bool:
        """Say whether the process that answered `asked` has to keep `promise`: it is its own, or
        the process has read the store since it began, or the file that it began with had it."""
        life = self.life(asked)
        lives = self.lives[asked.proxy]
        own = next(one for one in lives if one.life == life)
        if self._made(own, promise):
            return True
        met_s = self._met_s(own, asked.key)
        if met_s is not None and met_s <= asked.started_s:
            return True
        return any(self._saved(one, asked.key, promise) for one in lives if one.life < life)

    def _made(self, life: Lived, promise: Promise) -> bool:
        """Say whether this process made the promise. One that was killed keeps its lease for some
        seconds: a command may still name it, or have seen it if it began before this process."""
        if isinstance(promise.fact, Asked):
            return self.life(promise.fact) == life.life
        if promise.fact.started_s < life.spawned_s:
            return False
        named = [one for one in promise.fact.confirmed if one.proxy == life.proxy]
        return any(not one.instance or self.seen_s[one] > life.spawned_s for one in named)

    def _met_s(self, life: Lived, key: str) -> float | None:
        """Return when a process first read from the store what this label really held."""
        spans = self.spoiled.get(key, ())
        return min((at_s for at_s in life.found_s if not covers(spans, at_s)), default=None)

    def _saved(self, life: Lived, key: str, promise: Promise) -> bool:
        met_s = self._met_s(life, key)
        if met_s is None or life.ended_s is None:
            return False
        held_s = max(met_s, promise.at_s)
        if life.ended_by == "stop":  # then the file is written before the end
            return held_s < life.ended_s
        asleep_s = overlap(self.frozen.get(life.proxy, ()), (held_s, life.ended_s))
        return life.ended_s - held_s - asleep_s >= SAVED_WITHIN_S


def overlap(spans: Iterable[Span], span: Span) -> float:
    """Return for how long `span` overlaps with any of `spans`, which are apart from each other."""
    return sum(max(0.0, min(end, span[1]) - max(begin, span[0])) for begin, end in spans)


def covers(spans: Iterable[Span], moment_s: float) -> bool:
    return any(begin <= moment_s <= end for begin, end in spans)


def touches(spans: Iterable[Span], span: Span) -> bool:
    return any(begin <= span[1] and span[0] <= end for begin, end in spans)


def by_proxy(lived: Iterable[Lived]) -> dict[str, list[Lived]]:
    lives: dict[str, list[Lived]] = defaultdict(list)
    for one in sorted(lived, key=lambda one: one.life):
        lives[one.proxy].append(one)
    return dict(lives)


def down(lives: Iterable[Lived]) -> list[Span]:
    """Return when nobody could answer, since a process was asked to end, or had not begun."""
    spans: list[Span] = []
    since_s = float("-inf")
    for one in lives:
        if one.serving_s is None:
            continue
        spans.append((since_s, one.serving_s))
        since_s = one.ended_s if one.ended_s is not None and one.ended_by else float("inf")
    return [*spans, (since_s, float("inf"))]


def timelines(history: History) -> dict[str, list[Entry]]:
    """Return what each label held, by epoch: what the store's history says, and what was written
    by hand and names a registered version."""
    began_s: dict[str, float] = {}
    changed_s: dict[str, float] = {}
    for one in history.pinned:
        began_s[one.operation] = min(one.started_s, began_s.get(one.operation, one.started_s))
        if one.outcome in ("done", "unconfirmed"):
            changed_s[one.operation] = min(one.ended_s, changed_s.get(one.operation, one.ended_s))
    found: dict[str, list[Entry]] = defaultdict(list)
    for note in history.noted:
        times = began_s.get(note.operation), changed_s.get(note.operation)
        found[note.key].append(
            Entry(note.epoch, note.version, note.previous, note.operation, *times)
        )
    for one in history.by_hand:
        if one.registered:
            found[one.key].append(
                Entry(one.epoch, one.id, None, "by-hand", one.started_s, one.ended_s, by_hand=True)
            )
    return {key: sorted(entries, key=lambda entry: entry.epoch) for key, entries in found.items()}


def spoiled(
    by_hand: Iterable[ByHand], times: Mapping[str, Sequence[Entry]]
) -> dict[str, list[Span]]:
    """Return when the store did not say what a label had really held, by key: from a pin that was
    written by hand to the end of the next one that was not."""
    found: dict[str, list[Span]] = defaultdict(list)
    for one in by_hand:
        if one.spoils:
            mended = (
                entry.changed_s
                for entry in times.get(one.key, ())
                if entry.began_s is not None and entry.began_s > one.ended_s
            )
            ends = [at_s for at_s in mended if at_s is not None]
            found[one.key].append((one.started_s, min(ends, default=float("inf"))))
    return dict(found)


def unservable(faults: Iterable[Fault]) -> dict[str, list[Span]]:
    """Return when the version that a label held was tampered with, by key: what it held before is
    served on, which the store does not say."""
    return _spans(faults, PIN_TAMPERED)


def joined(*found: Mapping[str, Sequence[Span]]) -> dict[str, list[Span]]:
    keys = sorted({key for spans in found for key in spans})
    return {key: [span for spans in found for span in spans.get(key, ())] for key in keys}


def floors(
    history: History,
    times: Mapping[str, Sequence[Entry]],
    lines: Mapping[tuple[str, str], Logged],
) -> dict[Place, Floor]:
    """Return what each proxy promised: by a confirmation, and by every answer that it gave."""
    found: dict[Place, list[Promise]] = defaultdict(list)
    for pinned in history.pinned:
        for move in pinned.moves:
            epoch = _held_at(times.get(move.key, ()), pinned.epoch)
            for one in pinned.confirmed:
                found[one.proxy, move.key].append(Promise(pinned.ended_s, epoch, pinned))
    for asked in history.asked:
        line = lines.get((asked.proxy, asked.request))
        if line is not None and asked.key and asked.status == 200:
            place = asked.proxy, asked.key
            found[place].append(Promise(asked.ended_s, line.epoch, asked))
    return {place: Floor(promises) for place, promises in found.items()}


def seen(pinned: Iterable[Pinned]) -> dict[Confirmed, float]:
    """Return when the first answer came that named each process."""
    found: dict[Confirmed, float] = {}
    for one in sorted(pinned, key=lambda one: one.ended_s):
        for named in one.confirmed:
            found.setdefault(named, one.ended_s)
    return found


def _held_at(entries: Sequence[Entry], epoch: int) -> int:
    """Return the epoch of the pin that a label holds at the store's epoch: one that holds the
    version already keeps its own."""
    return max((entry.epoch for entry in entries if entry.epoch <= epoch), default=0)


def _spans(faults: Iterable[Fault], kind: str) -> dict[str, list[Span]]:
    """Return when there was a fault of this kind, by target."""
    found: dict[str, list[Span]] = defaultdict(list)
    for fault in faults:
        if fault.kind == kind:
            found[fault.target].append((fault.started_s, fault.ended_s))
    return dict(found)


def _marks(history: History) -> dict[str, str]:
    """Return which content a version id stands for: what a command answered, else the store."""
    kept = {one.id: one.mark for one in history.kept}
    return {**kept, **{one.id: one.mark for one in history.registered if one.outcome == "done"}}


def _digests(history: History) -> dict[str, str]:
    kept = {one.id: one.digest for one in history.kept}
    return {**kept, **{one.id: one.digest for one in history.registered if one.outcome == "done"}}

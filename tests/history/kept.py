"""Rules about what the store holds when everything is over: versions, numbers, pins in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tests.history.known import Known, touches
from tests.history.record import Kept, Noted, Pinned, Registered
from tests.history.violation import Violation


def nothing_lost(known: Known) -> Iterator[Violation]:
    """Every version whose registration was answered is there, with the id and the digest of the
    answer, and its bytes are what was written."""
    kept = {one.id: one for one in known.history.kept}
    for one in known.history.registered:
        if one.outcome != "done":
            continue
        found = kept.get(one.id)
        if found is None:
            yield Violation("lost", f"{one.id} is not in the store", (one,))
        elif (found.digest, found.mark) != (one.digest, one.mark):
            yield Violation("changed", f"{one.id} is not what was registered", (one, found))


def nothing_half(known: Known) -> Iterator[Violation]:
    """Each version in the store is whole: its bytes have its digest and are one of those that
    somebody tried to register, once; the tables agree; numbers have no gap."""
    tried = {one.mark for one in known.history.registered}
    times = Counter((one.model, one.digest) for one in known.history.kept)
    for one in known.history.kept:
        written = known.written.get(one.mark)
        if one.computed != one.digest:
            yield Violation("corrupt", f"the bytes of {one.id} do not have its digest", (one,))
        elif written is None or one.mark not in tried or written.digest != one.digest:
            yield Violation("foreign", f"nobody registered what {one.id} holds", (one,))
        if times[one.model, one.digest] > 1:
            yield Violation("twice", f"{one.id} is not the only one with its content", (one,))
    yield from _numbers(known)


def _numbers(known: Known) -> Iterator[Violation]:
    kept: dict[str, list[Kept]] = defaultdict(list)
    for one in known.history.kept:
        kept[one.model].append(one)
    for counted in known.history.counted:
        numbers = sorted(one.number for one in kept[counted.model])
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("gap", f"{counted.model} has the numbers {numbers}", (counted,))
        sizes = {counted.versions, counted.meta, counted.digests, counted.short, counted.seq}
        if sizes != {len(numbers)}:
            text = f"the tables of {counted.model} disagree, with {len(numbers)} versions"
            yield Violation("half", text, (counted,))


def each_operation_once(known: Known) -> Iterator[Violation]:
    """What was answered as done is in the history once for every label that moved, what was
    refused is not, and what is unknown is there wholly or not at all."""
    attempts: dict[str, list[Pinned]] = defaultdict(list)
    for one in known.history.pinned:
        attempts[one.operation].append(one)
    notes: dict[str, list[Noted]] = defaultdict(list)
    for note in known.history.noted:
        notes[note.operation].append(note)
    for operation, made in attempts.items():
        yield from _operation(operation, made, notes.get(operation, []))
        yield from _all_or_none(known, made[0], notes.get(operation, []))
    for operation in notes.keys() - attempts.keys():
        yield Violation("unasked", f"nobody sent {operation}", tuple(notes[operation]))


def _operation(operation: str, made: list[Pinned], notes: list[Noted]) -> Iterator[Violation]:
    answers = [one for one in made if one.outcome in ("done", "unconfirmed")]
    if any(count > 1 for count in Counter(note.key for note in notes).values()):
        yield Violation("repeated", f"{operation} was carried out twice", (*made, *notes))
    if len({note.epoch for note in notes}) > 1:
        yield Violation("split", f"{operation} has several epochs", (*made, *notes))
    if not answers and notes and all(one.outcome == "refused" for one in made):
        yield Violation("refused", f"{operation} was refused and carried out", (*made, *notes))
    for answer in answers:
        moved = {(one.key, one.to) for one in answer.moves if one.previous != one.to}
        if moved != {(note.key, note.version) for note in notes}:
            text = f"{operation} was answered, and the history does not say the same"
            yield Violation("unrecorded", text, (answer, *notes))


def _all_or_none(known: Known, pinned: Pinned, notes: list[Noted]) -> Iterator[Violation]:
    """A label without a note held the version already, else only a part of the swap was made."""
    for key in pinned.wanted.keys() - {note.key for note in notes}:
        before = [
            one for one in known.timelines.get(key, ()) if notes and one.epoch < notes[0].epoch
        ]
        if notes and (not before or before[-1].version != pinned.wanted[key]):
            text = f"{pinned.operation} moved other labels, but not {key}"
            yield Violation("half a swap", text, (pinned, *notes))


def epochs_rise(known: Known) -> Iterator[Violation]:
    """One epoch is one operation's, and each change of a model has a higher one than the change
    before; what it says it replaced is what the label held."""
    owners: dict[int, Noted] = {}
    models: dict[str, list[Noted]] = defaultdict(list)
    for note in known.history.noted:
        owner = owners.setdefault(note.epoch, note)
        if owner.operation != note.operation:
            yield Violation("shared", f"epoch {note.epoch} was given twice", (owner, note))
        models[note.key.partition("@")[0]].append(note)
    for notes in models.values():
        for before, after in pairwise(notes):
            if after.epoch < before.epoch:
                text = f"epoch {after.epoch} comes after {before.epoch}"
                yield Violation("backwards", text, (before, after))
    yield from _chained(known)


def _chained(known: Known) -> Iterator[Violation]:
    for key, entries in known.timelines.items():
        for before, after in pairwise(entries):
            if after.by_hand or after.previous == before.version:
                continue
            # What somebody wrote between the two is not what a pin says that it replaced.
            if after.changed_s is None or before.began_s is None:
                continue
            if touches(known.spoiled.get(key, ()), (before.began_s, after.changed_s)):
                continue
            text = f"{key} held {before.version}, and {after.previous} was replaced"
            yield Violation("unchained", text, (before, after))


def registrations_agree(known: Known) -> Iterator[Violation]:
    """Everybody who registered the same content was told the same version."""
    told: dict[str, Registered] = {}
    for one in _done(known.history.registered):
        first = told.setdefault(one.mark, one)
        if (first.id, first.digest) != (one.id, one.digest):
            yield Violation("two ids", f"{one.mark} has two ids", (first, one))
        if one.digest != known.written[one.mark].digest:
            yield Violation("wrong digest", f"{one.id} was answered with it", (one,))


def _done(registered: Iterable[Registered]) -> Iterator[Registered]:
    return (one for one in registered if one.outcome == "done")

"""Rules about requests: what was answered, by whom, made of what."""

from __future__ import annotations

from collections.abc import Iterator

from tests.history.body import expected
from tests.history.known import Known, Promise, touches
from tests.history.record import Asked, Pinned
from tests.history.violation import Violation


def answered(known: Known) -> Iterator[Asked]:
    return (asked for asked in known.history.asked if asked.status == 200 and not asked.error)


def nothing_older_than_promised(known: Known) -> Iterator[Violation]:
    """No request that began after a confirmation, or after an answer, was served an older epoch
    by that proxy."""
    for asked, promise in _older(known):
        if known.owes(asked, promise):
            source = "a confirmation" if isinstance(promise.fact, Pinned) else "an answer"
            text = f"{asked.proxy} served {asked.key} from before epoch {promise.epoch}, {source}"
            lives = tuple(known.lives[asked.proxy])
            yield Violation("older", text, (asked, *_line(known, asked), promise.fact, *lives))


def excused(known: Known) -> int:
    """Return how many answers were older than promised, but for the documented reason."""
    older = {asked.request for asked, _ in _older(known)}
    broken = {found.evidence[0] for found in nothing_older_than_promised(known)}
    return len(older) - len(broken)


def _older(known: Known) -> Iterator[tuple[Asked, Promise]]:
    """Yield answers with a promise that they are older than: the highest that is owed, if any."""
    for asked in answered(known):
        floor = known.floors.get((asked.proxy, asked.key))
        highest = floor.before(asked.started_s) if floor is not None else None
        if floor is None or highest is None or known.reaches(asked, highest.epoch):
            continue
        missed = [
            promise
            for promise in floor.promises
            if promise.at_s < asked.started_s and not known.reaches(asked, promise.epoch)
        ]
        yield asked, max(missed, key=lambda one: (known.owes(asked, one), one.epoch))


def each_made_by_its_version(known: Known) -> Iterator[Violation]:
    """The vendor got exactly what the stamped version and this request make, nothing else."""
    for asked in answered(known):
        mark = known.marks.get(asked.version)
        if mark is None:
            continue
        written = known.written[mark]
        wanted = expected(written.injected, asked.request, stream=asked.stream)
        if asked.echo != asked.request:
            text = f"the answer to {asked.request} is that to {asked.echo or 'nothing'}"
            yield Violation("crossed", text, (asked,))
        elif asked.saw != wanted:
            text = f"stamped {asked.version} ({mark}), but the vendor got {asked.mark or 'nothing'}"
            yield Violation("torn", text, (asked, written))
        if asked.digest != known.digests[asked.version]:
            yield Violation("digest", f"{asked.version} has another digest", (asked, written))


def only_registered_ones(known: Known) -> Iterator[Violation]:
    """Every stamp names a registered version of the model that was asked for."""
    for asked in answered(known):
        mark = known.marks.get(asked.version)
        if mark is None:
            text = f"{asked.proxy} served {asked.version or 'no version'}, which is not registered"
            yield Violation("unregistered", text, (asked,))
        elif asked.wanted and asked.version != asked.wanted:
            yield Violation("explicit", f"{asked.wanted} was asked for", (asked,))
        elif asked.key and known.written[mark].model != asked.key.partition("@")[0]:
            yield Violation("model", f"{asked.key} was answered by {asked.version}", (asked,))


def only_what_was_pinned(known: Known) -> Iterator[Violation]:
    """What a proxy says it served is what the client saw, and what the label held at that epoch,
    not before it was pinned."""
    entries = {key: {one.epoch: one for one in times} for key, times in known.timelines.items()}
    for asked in answered(known):
        line = known.line(asked)
        if line is None or not asked.key:
            continue
        entry = entries.get(asked.key, {}).get(line.epoch)
        if (line.key, line.version, line.digest) != (asked.key, asked.version, asked.digest):
            yield Violation("logged", "the log says something else", (asked, line))
        elif entry is None or entry.version != asked.version:
            text = f"{asked.key} never held {asked.version} at epoch {line.epoch}"
            yield Violation("never pinned", text, (asked, line))
        elif entry.began_s is not None and entry.began_s > asked.ended_s:
            text = f"{asked.version} was pinned after it was served"
            yield Violation("too early", text, (asked, line))


def none_failed(known: Known) -> Iterator[Violation]:
    """No request failed but those that met a process which was ended on purpose."""
    for asked in known.history.asked:
        if asked.status == 200 and not asked.error:
            continue
        was_down = touches(known.down.get(asked.proxy, ()), (asked.started_s, asked.ended_s))
        broke = asked.status == 0 or (asked.status == 200 and asked.error != "unreadable")
        if was_down and (broke or asked.code == "draining"):
            continue
        if asked.wanted and asked.code in _refusals(known, asked):
            continue
        text = f"{asked.proxy} answered {asked.status} {asked.code}{asked.error}"
        yield Violation("failed", text, (asked, *known.lives.get(asked.proxy, ())))


def _refusals(known: Known, asked: Asked) -> frozenset[str]:
    """Return why a request for an explicit version may be refused: no proxy has to hold it."""
    if asked.wanted not in known.marks:
        return frozenset({"unknown_version", "store_unavailable"})
    spans = [
        (one.started_s, one.ended_s) for one in known.history.tampered if one.id == asked.wanted
    ]
    if touches(spans, (asked.started_s, asked.ended_s)):
        return frozenset({"version_corrupt", "store_unavailable"})
    return frozenset({"store_unavailable"})


def none_died(known: Known) -> Iterator[Violation]:
    """No proxy ended but those that were ended on purpose."""
    for life in known.history.lived:
        if life.ended_s is not None and not life.ended_by:
            yield Violation("died", f"{life.proxy} ended by itself", (life,))


def all_settled(known: Known) -> Iterator[Violation]:
    """Once everything was healed, every proxy served what the store holds."""
    for one in known.history.settled:
        if one.after_s is None:
            text = f"{one.proxy} does not serve {one.holds} for {one.key}"
            yield Violation("unsettled", text, (one,))


def _line(known: Known, asked: Asked) -> tuple[object, ...]:
    line = known.line(asked)
    return (line,) if line is not None else ()

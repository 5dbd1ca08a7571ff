"""The checker itself: each violation is planted and found, and where all is well nothing is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.history import kept, served
from tests.history.check import violations
from tests.history.known import PIN_TAMPERED, SAVED_WITHIN_S, Known
from tests.history.made import FLIP, FLOP, WEB, Made, answer, good, id_of, mark, pin, sha, version
from tests.history.record import (
    Asked,
    ByHand,
    Confirmed,
    Counted,
    Fault,
    History,
    Kept,
    Lived,
    Logged,
    Noted,
    Pinned,
    Recorder,
    Registered,
    Settled,
    Tampered,
)


def named(name):
    return lambda fact: fact.request == name


def of_version(id):
    return lambda fact: fact.id == id


def by_operation(operation):
    return lambda fact: fact.operation == operation


def every(_):
    return True


def the_old_one(request, at_s, life=2):
    """Return an answer by the first version, long after the second was confirmed."""
    return answer(request, at_s, FLIP, 1, 1, life=life)


V2, V3 = id_of("flip", 2), id_of("flip", 3)

# What is wrong, the rule that has to say so, and the history.
PLANTED = {
    "an older epoch after a confirmation": (
        "older",
        lambda: good().add(*answer("old", 12.0, FLIP, 1, 1)),
    ),
    "an older version after a confirmation, without the proxy's line": (
        "older",
        lambda: good().add(answer("old", 12.0, FLIP, 1, 1)[0]),
    ),
    "an older epoch after an answer, without any confirmation": (
        "older",
        lambda: (
            good()
            .change(Pinned, by_operation("pin-2"), confirmed=())
            .add(*answer("old", 12.0, FLIP, 1, 1))
        ),
    ),
    "an older epoch from a process that has read the store": (
        "older",
        lambda: good().add(*the_old_one("old", 31.0)),
    ),
    "an older epoch from a file that had the time to be written": (
        "older",
        lambda: good().add(*the_old_one("old", 24.0)),
    ),
    "another body than the stamped version makes": (
        "torn",
        lambda: good().change(Asked, named("second"), saw=sha("mixed")),
    ),
    "another version's body": (
        "torn",
        lambda: good().change(
            Asked, named("second"), saw=answer("second", 0, FLIP, 1, 1)[0].saw, mark="mark-flip-1"
        ),
    ),
    "another request's answer": (
        "crossed",
        lambda: good().change(Asked, named("second"), echo="first"),
    ),
    "another digest than that of the version": (
        "digest",
        lambda: (
            good()
            .change(Asked, named("second"), digest=sha("other"))
            .change(Logged, named("second"), digest=sha("other"))
        ),
    ),
    "a version that nobody registered": (
        "unregistered",
        lambda: good().add(*answer("stranger", 12.0, FLIP, 9, 2)),
    ),
    "an answer without a stamp": (
        "unregistered",
        lambda: good().change(Asked, named("second"), version="", digest=""),
    ),
    "another version than the one asked for by its id": (
        "explicit",
        lambda: good().add(
            Asked(**{**_fields(answer("x", 12.0, FLIP, 1, 1)[0]), "key": "", "wanted": V2})
        ),
    ),
    "a version of another model": (
        "model",
        lambda: good().change(Asked, named("first"), key=FLOP),
    ),
    "a log line that says something else": (
        "logged",
        lambda: good().change(Logged, named("second"), version=id_of("flip", 3)),
    ),
    "an epoch at which the label held something else": (
        "never pinned",
        lambda: good().change(Logged, named("second"), epoch=3),
    ),
    "an epoch that never was": (
        "never pinned",
        lambda: good().change(Logged, named("second"), epoch=7),
    ),
    "a version that was served before it was pinned": (
        "too early",
        lambda: good().add(*answer("early", 8.0, FLIP, 2, 2)),
    ),
    "an error from a proxy that runs": (
        "failed",
        lambda: good().add(Asked("bad", WEB, 12.0, 12.1, key=FLIP, status=503, code="not_pinned")),
    ),
    "a broken connection to a proxy that runs": (
        "failed",
        lambda: good().add(Asked("bad", WEB, 12.0, 12.1, key=FLIP, error="ConnectionResetError")),
    ),
    "an error from a proxy that was just started": (
        "failed",
        lambda: good().add(Asked("bad", WEB, 22.1, 22.2, key=FLIP, status=503)),
    ),
    "an error, not a broken connection, from a proxy that is being killed": (
        "failed",
        lambda: good().add(Asked("bad", WEB, 19.9, 20.1, key=FLIP, status=500)),
    ),
    "half an answer that passes for a whole one": (
        "failed",
        lambda: good().change(Asked, named("broken"), status=200, error="unreadable"),
    ),
    "an explicit version that exists and is said not to": (
        "failed",
        lambda: good().add(
            Asked("x", WEB, 12.0, 12.1, wanted=V2, status=404, code="unknown_version")
        ),
    ),
    "an explicit version that is said to be corrupt and is not": (
        "failed",
        lambda: good().add(
            Asked("x", WEB, 12.0, 12.1, wanted=V2, status=503, code="version_corrupt")
        ),
    ),
    "an explicit version that is said to be corrupt long after it was": (
        "failed",
        lambda: good().add(
            Tampered(V2, 8.0, 9.0),
            Asked("x", WEB, 12.0, 12.1, wanted=V2, status=503, code="version_corrupt"),
        ),
    ),
    "a frozen proxy that refuses": (
        "failed",
        lambda: good().add(
            Fault("freeze proxy", WEB, 12.0, 14.0),
            Asked("bad", WEB, 12.0, 14.1, key=FLIP, status=504),
        ),
    ),
    "a proxy that ended by itself": (
        "died",
        lambda: good().change(Lived, lambda one: one.life == 1, ended_by=""),
    ),
    "a proxy that does not come round": (
        "unsettled",
        lambda: good().change(Settled, every, after_s=None),
    ),
    "a version that was lost": ("lost", lambda: good().drop(Kept, of_version(V3))),
    "a version under another digest": (
        "changed",
        lambda: good().change(Kept, of_version(V3), digest=sha("x"), computed=sha("x")),
    ),
    "a version with other bytes": (
        "changed",
        lambda: good().change(Kept, of_version(V3), mark=mark("flip", 2)),
    ),
    "bytes that do not have the digest": (
        "corrupt",
        lambda: good().change(Kept, of_version(V3), computed=sha("x")),
    ),
    "a version without bytes": (
        "corrupt",
        lambda: good().change(Kept, of_version(V3), computed="", mark=""),
    ),
    "a version that nobody tried to register": (
        "foreign",
        lambda: good().add(Kept("flip", 4, id_of("flip", 4), sha("x"), sha("x"), "mark-x")),
    ),
    "one content under two numbers": (
        "twice",
        lambda: (
            good()
            .add(Kept("flip", 4, "flip-v4-x", sha(mark("flip", 3)), sha(mark("flip", 3)), ""))
            .change(Counted, lambda one: one.model == "flip", versions=4, meta=4, seq=4)
        ),
    ),
    "a gap between numbers": (
        "gap",
        lambda: good().change(Kept, of_version(V3), number=4),
    ),
    "tables that disagree": (
        "half",
        lambda: good().change(Counted, lambda one: one.model == "flip", short=2),
    ),
    "a pin that was carried out twice": (
        "repeated",
        lambda: good().add(Noted(FLIP, "pin", 4, "pin-2", V2, V3)),
    ),
    "a swap of two labels with two epochs": (
        "split",
        lambda: good().change(Noted, lambda one: (one.key, one.epoch) == (FLOP, 3), epoch=4),
    ),
    "a pin that was refused and carried out": (
        "refused",
        lambda: good().change(Pinned, by_operation("pin-3"), outcome="refused", moves=()),
    ),
    "a pin that was answered and lost": (
        "unrecorded",
        lambda: good().drop(Noted, by_operation("pin-3")),
    ),
    "a pin that moved something else than it said": (
        "unrecorded",
        lambda: good().change(Noted, by_operation("pin-2"), version=V3),
    ),
    "half a swap, whose answer was lost": (
        "half a swap",
        lambda: (
            good()
            .change(Pinned, by_operation("pin-3"), outcome="unknown", moves=(), confirmed=())
            .drop(Noted, lambda one: (one.key, one.epoch) == (FLOP, 3))
        ),
    ),
    "a pin that nobody sent": (
        "unasked",
        lambda: good().add(Noted(FLIP, "pin", 4, "stranger", V2, V3)),
    ),
    "two pins with one epoch": (
        "shared",
        lambda: good().change(Noted, lambda one: one.key == FLOP and one.epoch == 3, epoch=2),
    ),
    "an epoch that goes back": (
        "backwards",
        lambda: good().change(Noted, by_operation("pin-2"), epoch=4),
    ),
    "a pin that was overwritten without a trace": (
        "unchained",
        lambda: good().change(Noted, by_operation("pin-3"), previous=id_of("flip", 1)),
    ),
    "one content that was told under two ids": (
        "two ids",
        lambda: good().add(
            Registered("again", mark("flip", 3), 5.0, 5.1, "done", "flip-v4-x", sha("x"))
        ),
    ),
    "a registration that was answered with another digest": (
        "wrong digest",
        lambda: (
            good()
            .change(Registered, of_version(V3), digest=sha("x"))
            .change(Kept, of_version(V3), digest=sha("x"), computed=sha("x"))
        ),
    ),
}


def _fields(fact):
    return {name: getattr(fact, name) for name in fact.__struct_fields__}


@pytest.mark.parametrize(("rule", "make"), PLANTED.values(), ids=PLANTED)
def test_it_finds(rule, make):
    history = make().history

    found = violations(history)

    assert rule in {one.rule for one in found}


def test_every_rule_is_planted():
    sources = [Path(module.__file__).read_text() for module in (kept, served)]
    rules = {name for text in sources for name in re.findall(r'Violation\(\s*"([^"]+)"', text)}

    assert rules == {rule for rule, _ in PLANTED.values()}


def test_where_all_is_well_nothing_is_found():
    assert violations(good().history) == []


# What looks wrong and is not.
EXCUSED = {
    "an older answer that began before the confirmation": lambda: good().add(
        *answer("old", 10.4, FLIP, 1, 1)
    ),
    "a proxy that confirmed nothing": lambda: good().add(
        Lived("web-2", 1, 2.0, 3.0, (2.5,)),
        *answer("old", 12.0, FLIP, 1, 1, proxy="web-2"),
    ),
    "a request that met a kill": lambda: good().add(
        Asked("cut", WEB, 19.9, 20.0, key=FLIP, status=200, error="cut")
    ),
    "a proxy that says that it drains while it is asked to stop": lambda: (
        good()
        .change(Lived, lambda one: one.life == 1, ended_by="stop")
        .add(Asked("late", WEB, 20.1, 20.2, key=FLIP, status=503, code="draining"))
    ),
    "an explicit version that nobody can fetch": lambda: good().add(
        Asked("x", WEB, 12.0, 12.1, wanted=V2, status=503, code="store_unavailable")
    ),
    "an explicit version whose bytes were changed": lambda: good().add(
        Tampered(V2, 50.0, 50.3),
        Asked("x", WEB, 50.2, 50.3, wanted=V2, status=503, code="version_corrupt"),
    ),
    "an explicit version that does not exist": lambda: good().add(
        Asked("x", WEB, 12.0, 12.1, wanted="flip-v9-abcdef", status=404, code="unknown_version")
    ),
    "an explicit version that was served": lambda: good().add(
        Asked(**{**_fields(answer("x", 50.0, FLIP, 2, 2)[0]), "key": "", "wanted": V2})
    ),
    "a pin by hand of a registered version": lambda: good().add(
        ByHand(FLIP, 1003, V2, True, False, 50.0, 50.1),
        *answer("hand", 51.0, FLIP, 2, 1003, life=2),
    ),
    "a registration whose answer was lost, and that was made": lambda: good().change(
        Registered, of_version(V3), outcome="unknown", id="", digest=""
    ),
    "a pin whose answer was lost, and that was not made": lambda: good().add(
        Pinned("lost", "pin", {FLIP: V2}, 60.0, 61.0, "unknown")
    ),
    "a pin of what was pinned already": lambda: good().add(
        Pinned(
            "again",
            "pin",
            {FLIP: V3},
            60.0,
            61.0,
            "done",
            3,
            pin(3, 0, (FLIP, 3, 3))[0].moves,
            (Confirmed(WEB),),
        ),
        *answer("after", 62.0, FLIP, 3, 3, life=2),
    ),
}


@pytest.mark.parametrize("make", EXCUSED.values(), ids=EXCUSED)
def test_it_does_not_complain_of(make):
    history = make().history

    assert violations(history) == []


def killed_after(seconds, *more):
    """Return a history in which a proxy is killed so long after it confirmed, and its next process
    serves what was pinned before, without having read the store."""
    killed_s = 10.5 + seconds
    made = good().drop(Asked, named("second")).drop(Logged, named("second"))
    made = made.drop(Asked, named("cold")).drop(Logged, named("cold"))
    made = made.change(Lived, lambda one: one.life == 1, ended_s=killed_s)
    return made.add(*the_old_one("old", 24.0), *more).history


def test_a_file_that_was_not_written_any_more_is_excused_and_counted():
    history = killed_after(SAVED_WITHIN_S / 2)

    assert violations(history) == []
    assert served.excused(Known.of(history)) == 1


def test_a_file_that_could_have_been_written_is_not_excused():
    history = killed_after(SAVED_WITHIN_S * 2)

    assert [one.rule for one in violations(history)] == ["older"]


def test_a_process_that_is_asked_to_stop_writes_its_file():
    stopped = Made(killed_after(SAVED_WITHIN_S / 2).all())
    stopped.change(Lived, lambda one: one.ended_by == "kill", ended_by="stop")

    assert [one.rule for one in violations(stopped.history)] == ["older"]


def test_a_frozen_process_writes_no_file():
    asleep = Fault("freeze proxy", WEB, 10.5, 10.5 + SAVED_WITHIN_S * 1.5)

    assert violations(killed_after(SAVED_WITHIN_S * 2, asleep)) == []


def test_a_process_that_read_a_spoiled_pin_knows_no_more_than_its_file():
    spoiled = ByHand(FLIP, 0, "", False, True, 21.0, 21.1)
    made = killed_after(SAVED_WITHIN_S / 2, spoiled, *the_old_one("older", 31.0))

    assert violations(made) == []


def test_a_process_that_read_the_mended_pin_knows_it():
    spoiled = ByHand(FLIP, 0, "", False, True, 21.0, 21.1)
    made = killed_after(SAVED_WITHIN_S / 2, spoiled, *the_old_one("older", 45.0))

    assert [one.rule for one in violations(made)] == ["older"]


def confirmed_again(instance):
    """Return a history in which a proxy is killed as it confirms, its next process serves what is
    in its file, and a pin that is repeated then is confirmed by `instance`."""
    first = pin(2, 10.0, (FLIP, 2, 1))[0]
    again = replace(first, started_s=23.0, ended_s=23.5, confirmed=(Confirmed(WEB, instance),))
    made = Made(killed_after(SAVED_WITHIN_S / 2).all()).add(again)
    return made.change(
        Pinned, lambda one: one.ended_s == first.ended_s, confirmed=(Confirmed(WEB, "one"),)
    )


def test_what_a_killed_process_is_said_to_confirm_is_not_its_successors_promise():
    assert violations(confirmed_again("one").history) == []


def test_what_a_process_confirms_is_its_promise():
    assert [one.rule for one in violations(confirmed_again("two").history)] == ["older"]


def test_a_violation_shows_the_facts():
    (found,) = violations(good().drop(Kept, of_version(V3)).drop(Counted, every).history)

    assert str(found).startswith(f"lost: {V3} is not in the store\n    Registered(")


def test_a_history_can_be_read_again(tmp_path):
    made = good().add(ByHand(FLIP, 9, V2, True, False, 50.0, 50.1), Fault("cut", WEB, 1.0, 2.0))
    record = Recorder(tmp_path / "history.jsonl")
    for fact in made.facts:
        record.add(fact)
    record.close()

    assert History.read(record.path) == made.history


def test_versions_of_the_good_history_are_registered():
    assert violations(good().add(*version("solo", 1), Counted("solo", 1, 1, 1, 1, 1)).history) == []


def test_a_pin_that_cannot_be_served_tells_nobody_what_was_held_before():
    made = Made(killed_after(SAVED_WITHIN_S / 2).all())
    made.change(Lived, lambda one: one.life == 2, found_s=(23.0,))

    assert [one.rule for one in violations(made.history)] == ["older"]
    assert violations(made.add(Fault(PIN_TAMPERED, FLIP, 22.5, 23.5)).history) == []

"""What a watch asks for next, and what the answers mean; without any connection."""

import pytest

from proxy.errors import StoreUnavailable
from proxy.store.redis_keys import Keys
from proxy.store.redis_watch import Reading
from proxy.versions.record import Former, Question
from tests.contracts.places import MODEL

KEYS = Keys()
PROD = (MODEL, "prod")

# An epoch, no questions, and what prod holds.
EPOCH_1 = [b"1", None, b"1|recommender-v1-abcdef|sha256:" + b"abcdef" + b"0" * 58 + b"|op"]
LISTED = [f"{MODEL}:prod".encode()]
LEFT = b'[{"id":"recommender-v1-abcdef","label":"prod","at_ms":"1"}]'
ASKED = b'[{"id":"q-1","kind":"prepare","body":"{}","at_ms":"1"}]'


def verbs(commands):
    return [command[0] for command in commands]


def listed(reading, names=LISTED, former=None):
    """Answer with the list of pins, and with what labels held before."""
    assert reading.take(names) == ([], None)
    return reading.take(former)


def first_read():
    """Return a reading that knows of the pin of prod."""
    reading = Reading(KEYS, ())
    reading.start()
    reading.take([b"1", None])
    listed(reading)
    reading.take(EPOCH_1)
    listed(reading)
    return reading


def test_pins_that_were_not_asked_for_are_asked_for():
    reading = Reading(KEYS, ())
    assert verbs(reading.start()) == ["MGET", "SMEMBERS", "GET"]
    assert reading.take([b"1", None]) == ([], None)

    commands, pins = listed(reading)

    assert commands[0] == ["MGET", KEYS.epoch, KEYS.questions, KEYS.pin(PROD)]
    assert pins is None


def test_a_read_is_complete_with_the_list():
    reading = Reading(KEYS, {PROD})
    reading.start()
    reading.take(EPOCH_1)

    commands, pins = listed(reading)

    assert commands == []
    assert (pins.epoch, pins.pins.keys()) == (1, {PROD})


def test_a_poll_asks_for_no_list():
    reading = first_read()

    assert verbs(reading.poll()) == ["MGET"]
    commands, pins = reading.take(EPOCH_1)

    assert (commands, pins.epoch) == ([], 1)


def test_a_poll_that_finds_another_epoch_asks_for_the_list():
    reading = first_read()
    reading.poll()

    commands, pins = reading.take([b"2", *EPOCH_1[1:]])

    assert verbs(commands) == ["MGET", "SMEMBERS", "GET"]
    assert pins is None


def test_one_read_is_under_way_and_one_is_remembered():
    reading = first_read()
    reading.start()

    assert [reading.start(), reading.start(), reading.poll()] == [[], [], []]
    assert reading.take(EPOCH_1) == ([], None)
    again, pins = listed(reading)
    assert (verbs(again), pins.epoch) == (["MGET", "SMEMBERS", "GET"], 1)
    reading.take(EPOCH_1)
    last, _ = listed(reading)
    assert last == []


def test_what_did_not_change_is_the_same_value():
    reading = first_read()
    reading.poll()
    _, one = reading.take(list(EPOCH_1))
    reading.poll()

    _, two = reading.take(list(EPOCH_1))

    assert one is two


def test_a_question_leaves_the_pins_the_same():
    reading = first_read()
    reading.poll()
    _, before = reading.take(list(EPOCH_1))
    reading.poll()

    _, after = reading.take([EPOCH_1[0], ASKED, EPOCH_1[2]])

    assert after.questions == (Question("q-1", "prepare", {}),)
    assert after == before
    assert after.pins is before.pins


def test_a_question_that_stays_is_the_same_value():
    reading = first_read()
    reading.poll()
    _, one = reading.take([EPOCH_1[0], ASKED, EPOCH_1[2]])
    reading.poll()

    _, two = reading.take([EPOCH_1[0], ASKED, EPOCH_1[2]])

    assert one is two


def test_a_question_passes_with_its_text():
    reading = first_read()
    reading.poll()
    reading.take([EPOCH_1[0], ASKED, EPOCH_1[2]])
    reading.poll()

    _, pins = reading.take(list(EPOCH_1))

    assert (pins.questions, pins.pins.keys()) == ((), {PROD})


def test_what_labels_held_comes_with_the_list_and_stays_until_the_next():
    reading = first_read()
    reading.start()
    reading.take(EPOCH_1)
    _, pins = listed(reading, former=LEFT)
    reading.poll()
    _, later = reading.take(list(EPOCH_1))

    assert pins.former == (Former("recommender-v1-abcdef", "prod", 1),)
    assert later is pins


def test_what_is_held_is_looked_up_at_each_poll():
    held = set()
    reading = Reading(KEYS, held)
    reading.start()
    reading.take([None, None])
    listed(reading, [])
    held.add(PROD)

    (texts,) = reading.poll()

    assert texts == ["MGET", KEYS.epoch, KEYS.questions, KEYS.pin(PROD)]


def test_a_store_that_keeps_changing_is_read_until_it_holds_still():
    reading = Reading(KEYS, ())
    reading.start()
    for label in ("a", "b", "c"):
        reading.take([b"1", None] + [None] * len(reading._asked))
        names = [f"{MODEL}:{each}".encode() for each in "abc"[: "abc".index(label) + 1]]
        commands, pins = listed(reading, names)
        assert (len(commands), pins) == (3, None)


def test_an_answer_that_nobody_waits_for_is_a_fault():
    reading = first_read()

    with pytest.raises(StoreUnavailable):
        reading.take(EPOCH_1)

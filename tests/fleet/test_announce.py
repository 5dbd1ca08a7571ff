"""A line for each switch, which never holds up the next one."""

import asyncio
import io
import json

from proxy.errors import StoreUnavailable
from proxy.fleet.announce import FEW_EVENTS, MOST_WAITING, Announcer, is_recorded
from proxy.fleet.snapshot import Pinned, Snapshot, make_ready
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.versions.record import Event, Kind, Pin
from tests.fleet.test_snapshot import text_of, version

LOADED = Snapshot.of(1, {})


def pinned(epoch=2, operation="op-2"):
    served = make_ready(version(text_of("Jackets.")))
    info = served.version.info
    return Pinned(Pin("recommender", "prod", epoch, info.id, info.digest, operation), served)


def event(pin, operation=None):
    return Event(
        pin.model, Kind.PIN, pin.epoch, "", "ada", operation or pin.operation, pin.label, pin.id
    )


class Book:
    """A history that is read and nothing else; `events` are newest first."""

    def __init__(self, *events):
        self.events = events
        self.asked = []

    async def history(self, model, limit):
        self.asked.append(limit)
        if self.events == ("away",):
            raise StoreUnavailable()
        return list(self.events[:limit])


async def announced(book, *switches, before=LOADED):
    """Announce `switches`; return the lines."""
    written = io.BytesIO()
    written.fileno = lambda: -1
    sink = LogSink(written, most_lines=5000)
    sink.attach(asyncio.get_running_loop())
    announcer = Announcer(book, open_log(sink), later_s=(0.0, 0.0))
    for one in switches:
        announcer.switched(before, {("recommender", "prod"): one})
    running = asyncio.create_task(announcer.run())
    while not announcer.is_idle:  # noqa: ASYNC110  # a turn of the loop is all that is waited for
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sink.close()
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_a_recorded_pin_is_found_with_one_short_look():
    one = pinned()
    book = Book(event(one.pin))

    (line,) = await announced(book, one)

    assert (line["event"], line["version"], line["unrecorded"]) == (
        "pin.changed",
        one.pin.id,
        False,
    )
    assert book.asked == [FEW_EVENTS]


async def test_a_pin_that_is_further_back_is_found_with_a_longer_look():
    one = pinned()
    book = Book(*[event(one.pin, "another")] * FEW_EVENTS, event(one.pin))

    (line,) = await announced(book, one)

    assert line["unrecorded"] is False


async def test_a_pin_that_the_history_does_not_know_is_unrecorded():
    (line,) = await announced(Book(), pinned())

    assert line["unrecorded"] is True


async def test_a_store_that_does_not_say_leaves_it_open():
    (line,) = await announced(Book("away"), pinned())

    assert line["unrecorded"] is None


async def test_the_first_pins_of_a_start_are_not_looked_up():
    book = Book()

    (line,) = await announced(book, pinned(), before=Snapshot())

    assert line["unrecorded"] is None
    assert book.asked == []


async def test_more_switches_than_may_wait_are_all_announced():
    many = [pinned(epoch) for epoch in range(2, MOST_WAITING + 12)]

    lines = await announced(Book("away"), *many)

    assert sorted(line["epoch"] for line in lines) == [one.pin.epoch for one in many]


def test_only_the_event_that_made_a_pin_records_it():
    pin = pinned().pin

    assert is_recorded(pin, [event(pin)])
    assert not is_recorded(pin, [event(pin, "another")])
    assert not is_recorded(pin, [])

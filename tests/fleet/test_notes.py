"""What was switched to since the whole was saved: noted for little, and whole or not at all."""

import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.fleet.last_known_good import FILE, PREVIOUS, RECENT, LastKnownGood, read_file
from proxy.fleet.notes import MOST_LINES
from proxy.fleet.snapshot import Snapshot, former
from proxy.versions.record import PROD
from tests.fleet.test_last_known_good import pinned, shown

KEY = ("recommender", PROD)
OTHER = ("search", PROD)


def at(epoch, before=None):
    """Return the snapshot after the switch to version `epoch`."""
    items = [pinned("recommender", epoch, f"Version {epoch}.", epoch), pinned("search", 1, "s", 1)]
    pins = {(item.pin.model, PROD): item for item in items}
    holders = former(before, pins) if before is not None else ()
    return Snapshot.of(epoch, pins, frozenset({"ranker"}), holders)


def switched(count, begin=2):
    """Return snapshots that follow one another by a switch each."""
    found = [at(begin)]
    for epoch in range(begin + 1, begin + count):
        found.append(at(epoch, found[-1]))
    return found


def kept(disk, snapshots):
    for one in snapshots:
        disk.keep(one)


def test_a_switch_is_noted_beside_what_was_saved(disk, directory):
    first, second = switched(2)
    disk.keep(first)
    saved = (directory / FILE).read_bytes()

    disk.keep(second)

    assert (directory / FILE).read_bytes() == saved
    assert shown(disk.read()) == shown(second)


def test_what_labels_held_meanwhile_is_held_after_a_start_too(disk):
    snapshots = switched(5)
    kept(disk, snapshots)

    found = disk.read()

    assert [one.id for one in found.holders] == [one.id for one in snapshots[-1].holders]


def test_going_back_is_noted_as_well(disk):
    first, second = switched(2)
    again = at(4, second)
    back = Snapshot.of(4, {**again.pinned, KEY: pinned("recommender", 2, "Version 2.", 4)})
    kept(disk, [first, second, back])

    assert shown(disk.read())[:2] == shown(back)[:2]


def test_a_model_that_came_is_noted(disk):
    first = at(2)
    disk.keep(first)
    disk.keep(Snapshot.of(3, first.pinned, first.models | {"new"}))

    assert disk.read().models == first.models | {"new"}
    assert disk.read().epoch == 3


def test_only_its_owner_can_read_the_notes(disk, directory):
    kept(disk, switched(2))

    assert stat.S_IMODE((directory / RECENT).stat().st_mode) == 0o600


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    """Return a directory with three notes, and what was served at each of the four switches."""
    directory = tmp_path_factory.mktemp("noted") / "state"
    disk, snapshots = LastKnownGood(directory, "here"), switched(4)
    kept(disk, snapshots)
    disk.release()
    return directory, [shown(one) for one in snapshots], (directory / RECENT).read_bytes()


@settings(max_examples=60)
@given(data=st.data())
def test_notes_that_were_cut_anywhere_give_an_earlier_switch_whole(noted, data):
    directory, served, whole = noted
    end = data.draw(st.integers(0, len(whole)))
    (directory / RECENT).write_bytes(whole[:end])

    found = shown(LastKnownGood(directory, "here").read())

    assert found == served[sum(end >= place for place in ends(whole))]


def ends(whole):
    """Return where each line ends, without its end of line."""
    places, place = [], 0
    for line in whole.split(b"\n")[:-1]:
        place += len(line)
        if line:
            places.append(place)
        place += 1
    return places


@settings(max_examples=60)
@given(data=st.data())
def test_notes_with_one_bit_that_fell_over_give_what_was_served(noted, data):
    directory, served, whole = noted
    place = data.draw(st.integers(0, len(whole) - 1))
    spoiled = bytearray(whole)
    spoiled[place] ^= 1 << data.draw(st.integers(0, 7))
    (directory / RECENT).write_bytes(bytes(spoiled))

    assert shown(LastKnownGood(directory, "here").read()) in served


def test_after_a_line_that_was_cut_the_next_one_counts(disk, directory):
    snapshots = switched(3)
    kept(disk, snapshots[:2])
    whole = (directory / RECENT).read_bytes()
    (directory / RECENT).write_bytes(whole[: len(whole) // 2])

    disk.keep(snapshots[2])

    assert shown(disk.read()) == shown(snapshots[2])


def test_many_switches_are_saved_as_a_whole_now_and_then(disk, directory):
    snapshots = switched(MOST_LINES + 2)
    kept(disk, snapshots)

    assert (directory / RECENT).read_bytes() == b""
    assert read_file(directory / FILE).epoch == snapshots[-1].epoch


def test_starts_do_not_let_the_notes_grow(directory):
    sizes, file = [], directory / RECENT
    for one in switched(3 * MOST_LINES):
        disk = LastKnownGood(directory, "here")
        disk.read()
        disk.keep(one)
        disk.release()
        sizes.append(len(file.read_bytes().split(b"\n\n")) if file.exists() else 0)

    assert max(sizes) == MOST_LINES
    assert shown(LastKnownGood(directory, "here").read())[0] == 3 * MOST_LINES + 1


def test_a_pin_that_is_gone_does_not_come_back(disk):
    first = at(2)
    disk.keep(first)
    disk.keep(Snapshot.of(3, {KEY: first.pinned[KEY]}))

    assert OTHER not in disk.read().pinned


def test_notes_say_nothing_without_the_file_that_they_continue(disk, directory):
    kept(disk, switched(3))
    (directory / FILE).unlink()
    (directory / PREVIOUS).unlink(missing_ok=True)

    assert disk.read() is None


def test_notes_do_not_continue_an_older_file(disk, directory):
    first, second, third = switched(3)
    disk.write(first)
    disk.write(second)
    disk.keep(third)
    (directory / FILE).write_bytes(b"damaged")

    assert shown(disk.read()) == shown(first)


def test_notes_about_another_store_are_not_used(disk, directory):
    first, second = switched(2)
    kept(disk, [first, second])

    found = LastKnownGood(directory, "elsewhere").read()

    assert found.pinned[KEY].served.id == first.pinned[KEY].served.id
    assert found.epoch == 0


def test_a_file_of_another_store_is_saved_anew_at_once(disk, directory):
    kept(disk, switched(2))
    disk.release()
    other = LastKnownGood(directory, "elsewhere")
    other.read()

    other.keep(at(9))
    other.release()

    assert read_file(directory / FILE).epoch == 9


def test_who_reads_the_file_by_its_name_gets_the_notes_too(disk, directory):
    snapshots = switched(3)
    kept(disk, snapshots)

    assert shown(read_file(directory / FILE)) == shown(snapshots[-1])

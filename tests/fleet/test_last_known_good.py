"""The snapshot on disk: whole and verified, or not at all."""

import json
import stat
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.fleet.kept import SCHEMA
from proxy.fleet.last_known_good import FILE, FRESH, LOCK, PREVIOUS, LastKnownGood
from proxy.fleet.snapshot import Pinned, Snapshot, make_ready
from proxy.versions.identity import digest
from proxy.versions.record import PROD, Meta, Pin, Version, VersionInfo
from tests.fleet.following import text_of

OPEN = Path("/proc/self/fd")


def pinned(model, number, system, epoch):
    content = text_of(system).encode()
    mark = digest(content)
    id = f"{model}-v{number}-{mark.removeprefix('sha256:')[:6]}"
    info = VersionInfo(model, number, id, mark, "2026-11-23T14:18:00.000Z", Meta("ada"), 1)
    return Pinned(Pin(model, PROD, epoch, id, mark, "op"), make_ready(Version(info, content)))


def snapshot(epoch, system="Recommend jackets.", *, models=("ranker",)):
    items = [pinned("recommender", 1, system, epoch), pinned("search", 2, "Sök på “nätet” 🦊", 1)]
    return Snapshot.of(epoch, {(i.pin.model, PROD): i for i in items}, frozenset(models))


def shown(one):
    """Return what a snapshot serves, in values that can be compared."""
    items = {k: (p.pin, p.served.version, p.served.stamp) for k, p in one.pinned.items()}
    return one.epoch, items, one.models, one.loaded


# --- there and back


def test_what_was_written_is_read(disk):
    disk.write(snapshot(7))

    assert shown(disk.read()) == shown(snapshot(7))


def test_a_snapshot_without_pins_is_read_too(disk):
    disk.write(Snapshot.of(0, {}, frozenset({"ranker"})))

    assert shown(disk.read()) == (0, {}, {"ranker"}, True)


def test_nothing_is_read_where_nothing_was_written(disk):
    assert disk.read() is None


def test_only_its_owner_can_read_the_file(disk, directory):
    disk.write(snapshot(7))

    modes = {name: stat.S_IMODE((directory / name).stat().st_mode) for name in (FILE, LOCK)}
    assert modes == {FILE: 0o600, LOCK: 0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_one_before_is_kept(disk, directory):
    disk.write(snapshot(7))
    disk.write(snapshot(8))
    (directory / FILE).unlink()

    assert disk.read().epoch == 7


def test_epochs_of_another_store_are_read_as_zero(disk, directory):
    disk.write(snapshot(7))

    read = LastKnownGood(directory, "there").read()

    assert read.epoch == 0
    assert {item.pin.epoch for item in read.pinned.values()} == {0}
    assert read.serving() == snapshot(7).serving()


# --- a file that is not what was written


@pytest.fixture
def two(disk, directory):
    """Return the directory with epoch 8 in the file and epoch 7 in the one before it."""
    disk.write(snapshot(7))
    disk.write(snapshot(8))
    return directory


def test_a_file_that_was_cut_anywhere_is_not_used(two, disk):
    whole = (two / FILE).read_bytes()
    (two / PREVIOUS).unlink()

    for length in range(len(whole)):
        (two / FILE).write_bytes(whole[:length])
        assert disk.read() is None


def test_a_file_with_one_bit_that_fell_over_is_not_used(two, disk):
    whole = (two / FILE).read_bytes()

    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (two / FILE).write_bytes(damaged)
        # In its last brace, or where JSON means the same, a bit may do no harm.
        assert disk.read().epoch == 7 or shown(disk.read()) == shown(snapshot(8))


@given(garbage=st.binary(max_size=200))
@settings(max_examples=50)
def test_garbage_is_no_snapshot(tmp_path_factory, garbage):
    directory = tmp_path_factory.mktemp("garbage")
    (directory / FILE).write_bytes(garbage)

    assert LastKnownGood(directory).read() is None


@pytest.mark.parametrize("garbage", [b"[" * 100_000, b"{}", b"null", b'{"schema":1}'])
def test_json_that_is_something_else_is_no_snapshot(two, disk, garbage):
    (two / FILE).write_bytes(garbage)

    assert disk.read().epoch == 7


def rewritten(path, change):
    """Change what the file holds, under a digest that fits."""
    file = json.loads(path.read_text())
    change(file["saved"])
    saved = msgspec.json.encode(file["saved"])
    path.write_bytes(
        msgspec.json.encode({**file, "digest": digest(saved), "saved": msgspec.Raw(saved)})
    )


def test_a_file_of_a_later_release_is_not_used(two, disk):
    whole = (two / FILE).read_bytes()
    later = whole.replace(b'"schema":%d' % SCHEMA, b'"schema":%d' % (SCHEMA + 1), 1)
    (two / FILE).write_bytes(later)

    assert later != whole
    assert disk.read().epoch == 7


def tampered(saved):
    saved["kept"][1]["content"] = saved["kept"][1]["content"].replace("nätet", "nätEt")


def exchanged(saved):
    saved["kept"][0]["pin"]["digest"] = "sha256:" + "f" * 64


def renamed(saved):
    saved["kept"][0]["pin"]["id"] = saved["kept"][0]["info"]["id"] = "recommender-v1\r\nx-evil: 1"


@pytest.mark.parametrize("change", [tampered, exchanged, renamed])
def test_one_version_that_is_not_what_it_was_makes_the_file_doubtful(two, disk, change):
    rewritten(two / FILE, change)

    assert disk.read().epoch == 7


def test_where_neither_file_can_be_used_there_is_no_snapshot(two, disk):
    for name in (FILE, PREVIOUS):
        rewritten(two / name, tampered)

    assert disk.read() is None


def test_a_folder_in_the_place_of_the_file_is_no_snapshot(two, disk):
    (two / FILE).unlink()
    (two / FILE).mkdir()

    assert disk.read().epoch == 7


# --- crashes


def test_a_crash_before_the_rename_leaves_the_file_as_it_was(two, disk):
    (two / FRESH).write_bytes(b'{"schema":1,"half')

    assert disk.read().epoch == 8


def test_a_crash_between_the_renames_leaves_the_one_before(two, disk):
    (two / FILE).replace(two / PREVIOUS)
    (two / FRESH).write_bytes(b"whole, but not in its place")

    assert disk.read().epoch == 8


def test_what_a_crash_left_behind_does_not_stop_the_next_write(two, disk):
    (two / FRESH).write_bytes(b"left behind")

    disk.write(snapshot(9))

    assert disk.read().epoch == 9
    assert not (two / FRESH).exists()


def test_a_link_in_the_place_of_the_new_file_is_not_written_through(two, disk, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (two / FRESH).symlink_to(victim)

    disk.write(snapshot(9))

    assert victim.read_text() == "precious"


# --- a disk that does not take it


def test_a_write_that_fails_leaves_the_file_as_it_was(two, disk):
    (two / FRESH).mkdir()

    with pytest.raises(OSError, match=r"Is a directory|Operation not permitted"):
        disk.write(snapshot(9))

    assert disk.read().epoch == 8


def test_a_file_in_the_place_of_the_directory_is_said(tmp_path):
    (tmp_path / "state").write_text("")

    with pytest.raises(FileExistsError):
        LastKnownGood(tmp_path / "state").write(snapshot(9))


# --- several proxies


def test_a_second_proxy_does_not_write_where_one_writes(two, disk):
    disk.write(snapshot(9))

    with pytest.raises(OSError, match="another proxy saves to this directory"):
        LastKnownGood(two, "here").write(snapshot(10))

    assert disk.read().epoch == 9


def test_a_second_proxy_reads_what_the_first_wrote(two, disk):
    assert LastKnownGood(two, "here").read().epoch == 8


def test_a_second_proxy_may_write_when_the_first_has_stopped(two, disk):
    disk.release()
    second = LastKnownGood(two, "here")

    second.write(snapshot(10))

    assert disk.read().epoch == 10
    second.release()


HOLD = """
import sys, pathlib
from proxy.fleet.last_known_good import LastKnownGood
from proxy.fleet.snapshot import Snapshot
LastKnownGood(pathlib.Path(sys.argv[1])).write(Snapshot.of(1, {}))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_goes_with_the_process_however_that_ends(directory, repository):
    holder = Popen([sys.executable, "-c", HOLD, directory], stdin=PIPE, stdout=PIPE, cwd=repository)
    assert holder.stdout.readline() == b"held\n"
    own = LastKnownGood(directory)
    with pytest.raises(OSError, match="another proxy"):
        own.write(snapshot(2))

    holder.kill()
    holder.communicate()
    own.write(snapshot(2))

    assert own.read().epoch == 2
    own.release()


def test_releasing_twice_is_not_an_error(disk):
    disk.write(snapshot(7))

    disk.release()
    disk.release()


def test_no_descriptor_is_left_open_where_the_lock_is_taken(two, disk):
    second = LastKnownGood(two, "here")
    before = len(list(OPEN.iterdir()))
    for _ in range(5):
        with pytest.raises(OSError, match="another proxy"):
            second.write(snapshot(9))

    assert len(list(OPEN.iterdir())) == before


def test_a_pin_keeps_everything_but_its_epoch_in_another_place(disk, directory):
    disk.write(snapshot(7))

    read = LastKnownGood(directory, "there").read()

    for key, item in snapshot(7).pinned.items():
        assert read.pinned[key].pin == replace(item.pin, epoch=0)

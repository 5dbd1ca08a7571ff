"""Saving beside the following: after each switch, and never in its way."""

import asyncio
import threading

import pytest

from proxy.fleet.last_known_good import FILE, LastKnownGood
from proxy.fleet.save import Saver
from proxy.fleet.snapshot import Snapshot
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.store.sqlite import SqliteStore
from tests.contracts.places import pin
from tests.fleet.following import following, registered
from tests.harness import LogFile


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore(tmp_path / "store.db")
    yield opened
    await opened.close()


@pytest.fixture
async def infos(store):
    made = await registered(store, "Recommend jackets.", "Recommend hats.")
    await pin(store, made[0])
    return made


def kept(directory):
    """Return what a proxy without a store would serve."""
    found = LastKnownGood(directory, "here").read()
    return found.serving() if found else None


async def eventually(right):
    """Wait for a thread that tells nobody when it is done."""
    async with asyncio.timeout(10):
        while not right():  # noqa: ASYNC110  # a thread is waited for
            await asyncio.sleep(0.01)


async def test_what_is_served_is_saved_after_each_switch(store, infos, tmp_path):
    async with following(store, tmp_path / "kept"):
        for info in (infos[1], infos[0]):
            await pin(store, info)
            serving = {"recommender@prod": info.id}
            await eventually(lambda wanted=serving: kept(tmp_path / "kept") == wanted)


async def test_a_switch_just_before_the_end_is_saved(store, infos, tmp_path):
    async with following(store, tmp_path / "kept") as proxy:
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])

    assert kept(tmp_path / "kept") == {"recommender@prod": infos[1].id}


async def test_a_directory_that_cannot_be_written_stops_no_switch(store, infos, tmp_path):
    (tmp_path / "kept").write_text("a file in its place")
    async with following(store, tmp_path / "kept") as proxy:
        (line,) = await proxy.lines("snapshot.not_saved")
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])

        assert line["reason"] == "File exists"
        assert proxy.follower.saver.not_saved == "File exists"


async def test_a_directory_that_cannot_be_written_is_said_once(store, infos, tmp_path):
    (tmp_path / "kept").write_text("a file in its place")
    async with following(store, tmp_path / "kept") as proxy:
        for info in (infos[1], infos[0], infos[1]):
            await pin(store, info)
            await proxy.until_serving(info)

        assert len(await proxy.logged("snapshot.not_saved")) == 1


async def test_a_second_proxy_in_the_same_directory_serves_without_saving(store, infos, tmp_path):
    own = SqliteStore(tmp_path / "store.db")
    async with following(store, tmp_path / "kept") as first:
        await eventually(lambda: kept(tmp_path / "kept") is not None)
        async with following(own, tmp_path / "kept", name="web-2") as second:
            await pin(store, infos[1])
            await second.until_serving(infos[1])
            (line,) = await second.lines("snapshot.not_saved")

            assert line["reason"] == "another proxy saves to this directory"
            assert await first.logged("snapshot.not_saved") == []
    await own.close()


class Disk(LastKnownGood):
    """A disk that fails, or hangs, as it is told to."""

    def __init__(self, directory):
        super().__init__(directory)
        self.error = None
        self.free = threading.Event()
        self.free.set()

    def keep(self, snapshot):
        self.free.wait(10)
        if self.error is not None:
            raise self.error
        super().keep(snapshot)


@pytest.fixture
async def saving(tmp_path):
    """Return a disk, a saver that runs on it, and its log."""
    log = LogFile()
    sink = LogSink(log, most_lines=100)
    disk = Disk(tmp_path / "kept")
    saver = Saver(disk, open_log(sink), again_s=0.02)
    running = asyncio.create_task(saver.run(lambda: Snapshot.of(1, {})))
    yield disk, saver, log
    disk.free.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sink.close()


async def test_a_disk_that_is_well_again_is_written_without_another_switch(saving, tmp_path):
    disk, saver, log = saving
    disk.error = OSError(28, "No space left on device")
    saver.soon()
    await log.wait_for("snapshot.not_saved", 1)
    assert saver.not_saved == "No space left on device"

    disk.error = None
    await eventually(lambda: (tmp_path / "kept" / FILE).exists())
    await eventually(lambda: saver.not_saved == "")


async def test_a_disk_that_fails_again_is_said_again(saving, tmp_path):
    disk, saver, log = saving
    for count in (1, 2):
        disk.error = OSError(28, "No space left on device")
        saver.soon()
        await log.wait_for("snapshot.not_saved", count)
        disk.error = None
        await eventually(lambda: saver.not_saved == "")


async def test_a_disk_that_hangs_does_not_stop_the_loop(saving):
    disk, saver, _ = saving
    disk.free.clear()
    saver.soon()

    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(20):
        await asyncio.sleep(0.001)

    assert loop.time() - began < 0.5


async def test_what_cannot_be_read_gives_no_snapshot(saving):
    assert await saving[1].load() is None


async def test_what_is_due_is_saved_by_whoever_saves_from_now_on(saving, tmp_path):
    disk, saver, log = saving
    disk.error = OSError(28, "No space left on device")
    saver.soon()
    await log.wait_for("snapshot.not_saved", 1)
    successor = Saver(disk, saver._log)
    running = asyncio.create_task(successor.run(lambda: Snapshot.of(2, {})))

    saver.hand_to(successor)
    disk.error = None
    await eventually(lambda: (tmp_path / "kept" / FILE).exists())
    saver.soon()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert disk.read().epoch == 2


async def test_one_that_does_not_save_writes_nothing_and_says_nothing(saving, tmp_path):
    _, saver, log = saving
    saver.saves = False

    saver.soon()
    await asyncio.sleep(0.05)

    assert not (tmp_path / "kept").exists()
    assert log.lines("snapshot.not_saved") == []

"""Clocks that are put forward and back by an hour, under the store and under a proxy.

Waits are measured on clocks that nobody can set, and an epoch is a count, not a time. A few lines
of C give one process a wall clock of its own; without a C compiler these tests are skipped.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults.load import under_load
from tests.faults.scene import HATS_PROMPT, JACKETS_PROMPT, MODEL, config_on, operator_of
from tests.harness import proxy_command

HOUR_S = 3600


class Clock:
    """A wall clock that can be set; `environment` gives it to a process."""

    def __init__(self, directory, library):
        self._file = directory / "clock"
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "TEST_CLOCK": str(self._file)}

    def set(self, offset_s):
        self._file.write_text(str(offset_s))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source], check=True)
    return made


@pytest.fixture
def clock(tmp_path, library):
    return Clock(tmp_path, library)


@pytest.fixture
def server(start_redis, clock, monkeypatch):
    """Return a server whose clock can be set."""
    with monkeypatch.context() as patched:
        for name, value in clock.environment.items():
            patched.setenv(name, value)
        return start_redis()


async def test_store_whose_clock_jumps_counts_on(proxy, server, operator, clock, jackets, hats):
    times, epochs = [], []
    async with under_load(proxy.address) as load:
        for number, offset_s in ((2, HOUR_S), (1, -HOUR_S), (2, 0)):
            clock.set(offset_s)
            times.append(int(server.run("TIME")[0]))
            epochs.append((await operator.pin(MODEL, number)).swapped.epoch)
            await load.stamped(operator.version(MODEL, number).id)

    assert times[0] - times[1] > HOUR_S
    assert epochs == [2, 3, 4]
    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}, hats.id: {HATS_PROMPT}}


@pytest.mark.slow
async def test_proxy_whose_clock_jumps_serves_on(tmp_path, vendor, start_redis, clock, monkeypatch):
    server = start_redis()
    config = config_on(tmp_path / "process", vendor.url, server.url)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    async with (
        operator_of(tmp_path / "operator", server.url) as operator,
        proxy_command(config) as command,
    ):
        await command.event("store.found")
        async with under_load(command.address) as load:
            for offset_s in (HOUR_S, -HOUR_S):
                clock.set(offset_s)
                await load.more()
            report = await operator.pin(MODEL, 2)
            await load.stamped(operator.version(MODEL, 2).id)
        times = [line["ts"] for line in command.lines("request.finished")]
        lost = command.lines("store.lost")

    assert times != sorted(times)  # the clock did jump
    assert lost == []
    assert report.confirmation.confirmed == 1
    assert load.failed == []

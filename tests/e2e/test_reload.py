"""SIGHUP: the file is read again while apps ask."""

import asyncio
import signal

import pytest

from proxy.simvendor.server import SimulatedVendor
from tests.e2e.served import ASK, ask_with, configured, lines
from tests.harness import proxy_command
from tests.load import load_on

FEW = "[limits]\nheaders = 64\n"


async def reloaded(directory):
    """Change the file to something better under load, then to nonsense; return what was seen."""
    async with SimulatedVendor() as vendor:
        config = await configured(directory, vendor.url)
        good = config.read_text() + FEW
        async with proxy_command(config) as proxy, load_on(proxy.address, ASK) as load:
            before = await ask_with(proxy.address, headers=70)
            for count in (1, 2):
                config.write_text(good)
                proxy.process.send_signal(signal.SIGHUP)
                await lines(proxy, "settings.reloaded", count)
                await load.more(50)
            after = await ask_with(proxy.address, headers=70)
            config.write_text(good.replace("64", '"many"'))
            proxy.process.send_signal(signal.SIGHUP)
            (line,) = await lines(proxy, "settings.rejected", 1)
            kept = await ask_with(proxy.address, headers=70)
            load.stop()
            status = await proxy.stop()
    row = good.splitlines().index("headers = 64") + 1
    wanted = [f"{config}:{row}: limits.headers: should be a valid integer"]
    return load.failures, (before, after, kept), (line["problems"], wanted), (status, proxy.err)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return asyncio.run(reloaded(tmp_path_factory.mktemp("reload")))


def test_no_request_is_lost(seen):
    assert seen[0] == []


def test_the_new_settings_are_in_force_and_stay_when_the_next_are_bad(seen):
    assert seen[1] == (200, 431, 431)


def test_what_is_wrong_is_told_with_its_place(seen):
    told, wanted = seen[2]

    assert told == wanted


def test_the_process_ends_as_ever(seen):
    assert seen[3] == (0, b"")

"""Streams that apps abort, by the thousand, leave nothing behind in a proxy's process.

`--aborts 10000` is the full count; the suite has a smaller one. What is left within a process,
tasks among it, is counted by `tests/http/test_leaks.py`, of as many streams.
"""

import asyncio
from pathlib import Path

import pytest

from tests.faults.scene import MODEL, config_on, until_metric
from tests.harness import proxy_command
from tests.http.scene import ASK_STREAM, EVENT, until
from tests.raw_client import RawApp
from tests.vendor_script import Say, ScriptedVendor, Stall, chunk, stream_head

AT_ONCE = 25
# So many fill what a process keeps for good: its pools, its caches, its allocator.
WARM_UP = 500

# What an exchange holds is several times that, so one in four that is kept would be seen.
MOST_BYTES_A_STREAM = 1024
# What an allocator may hold on to more at one moment than at another.
NOISE_BYTES = 4 * 2**20

PAGE_BYTES = 4096

COUNTER = (
    'proxy_requests_total{{version="{}",dialect="openai.chat",'
    'outcome="client_closed",status="2xx"}}'
)


@pytest.fixture
async def vendor():
    """Return a vendor that begins streams and never ends them."""
    async with ScriptedVendor(Say(stream_head() + chunk(EVENT)), Stall()) as running:
        yield running


async def abort(address):
    app = await RawApp.connect(address)
    await app.send(ASK_STREAM)
    await app.read_some()
    app.vanish()


async def abort_many(command, count):
    address = command.address  # which is looked up in the log
    for _ in range(count // AT_ONCE):
        await asyncio.gather(*(abort(address) for _ in range(AT_ONCE)))
    await until_metric(command, "proxy_requests_in_flight", 0)


def descriptors(command):
    return sum(1 for _ in Path(f"/proc/{command.process.pid}/fd").iterdir())


def resident_bytes(command):
    pages = Path(f"/proc/{command.process.pid}/statm").read_text().split()[1]
    return int(pages) * PAGE_BYTES


@pytest.mark.slow
async def test_aborted_streams_leave_neither_descriptors_nor_memory(
    tmp_path, vendor, server, operator, aborts
):
    config = config_on(tmp_path / "process", vendor.url, server.url)
    async with proxy_command(config) as command:
        await command.event("store.found")
        await abort_many(command, WARM_UP)
        at_rest, resident = descriptors(command), resident_bytes(command)
        await abort_many(command, aborts)
        await until(lambda: descriptors(command) <= at_rest)
        grown_bytes = resident_bytes(command) - resident
        counted = COUNTER.format(operator.version(MODEL, 1).id)
        await until_metric(command, counted, WARM_UP + aborts)

    assert grown_bytes < aborts * MOST_BYTES_A_STREAM + NOISE_BYTES

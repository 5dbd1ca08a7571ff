"""What can happen to a proxy as a process: killed, out of descriptors, out of disk, stood still."""

import asyncio
import resource
import signal
from pathlib import Path

import pytest

from tests.faults.load import ASK, under_load
from tests.faults.namespace import in_a_namespace
from tests.faults.scene import (
    HATS_PROMPT,
    MODEL,
    config_on,
    is_ready,
    metrics,
)
from tests.harness import proxy_command
from tests.http.scene import until
from tests.raw_client import raw_app, request

STALLS = [{"role": "user", "content": "[[sim:stall after=2]]"}]
STREAM = request({"model": MODEL, "stream": True, "messages": STALLS})

# Connections above what the process has descriptors for.
MORE = 20

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path, vendor, server, operator):
    return config_on(tmp_path / "process", vendor.url, server.url)


def descriptors(pid):
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


async def saved(config):
    """Wait until last known good is on disk, behind everybody's back; return its file."""
    file = config.parent / "state" / "last-known-good.json"
    await until(file.exists)
    return file


async def asked(command):
    async with raw_app(command.address) as app:
        await app.send(ASK)
        return await app.answer()


async def test_killed_proxy_breaks_its_streams_and_serves_again_without_the_store(
    config, server, jackets
):
    async with proxy_command(config) as first, raw_app(first.address) as app:
        await saved(config)
        await app.send(STREAM)
        assert b"200 OK" in await app.read_some()
        first.process.send_signal(signal.SIGKILL)
        await first.process.wait()
        rest = await app.read_to_end()
    server.stop()
    async with proxy_command(config) as second:
        answer = await asked(second)
        loaded = second.lines("snapshot.loaded")
        started = second.lines("proxy.started")

    assert b"0\r\n\r\n" not in rest
    assert answer.header("x-proxy-version") == jackets.id
    assert started[0]["source"] == "disk"
    assert loaded[0]["versions"] == {f"{MODEL}@prod": jackets.id}


async def test_proxy_without_a_free_descriptor_serves_who_is_there_and_recovers(
    config, operator, hats
):
    async with proxy_command(config) as command:
        await command.event("store.found")
        async with under_load(command.address) as load:
            limits = resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE)
            none_left = (descriptors(command.process.pid), limits[1])
            resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE, none_left)
            more = [await asyncio.open_connection(*command.address) for _ in range(MORE)]
            await load.more()
            await operator.pin(MODEL, 2)
            await load.stamped(hats.id)
            refused = sum(reader.at_eof() for reader, _ in more)
            for _, writer in more:
                writer.close()
            resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE, limits)
            answer = await asked(command)

    assert refused > MORE / 2  # those who come are told at once
    assert load.failed == []
    assert answer.header("x-proxy-version") == hats.id


async def test_full_disk_delays_no_switch_and_keeps_what_was_saved(config, operator, server, hats):
    async with proxy_command(config) as command:
        file = await saved(config)
        before = file.read_bytes()
        limits = resource.prlimit(command.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(command.process.pid, resource.RLIMIT_FSIZE, (64, limits[1]))
        async with under_load(command.address) as load:
            await operator.pin(MODEL, 2)
            await load.stamped(hats.id)
            await command.event("snapshot.not_saved")
        assert await is_ready(command)
        assert (await metrics(command))["proxy_snapshot_saved"] == 0

    assert file.read_bytes() == before
    assert load.failed == []
    assert load.prompts[hats.id] == {HATS_PROMPT}


async def test_directory_that_cannot_be_written_keeps_nobody_from_a_switch(config, operator, hats):
    state = config.parent / "state"
    state.mkdir()
    mounts = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
    async with proxy_command(config, through=in_a_namespace(mounts, state)) as command:
        await command.event("snapshot.not_saved")
        async with under_load(command.address) as load:
            await operator.pin(MODEL, 2)
            await load.stamped(hats.id)
        reasons = [line["reason"] for line in command.lines("snapshot.not_saved")]

    assert reasons == ["Read-only file system"]
    assert load.failed == []
    assert load.prompts[hats.id] == {HATS_PROMPT}


async def test_proxy_that_was_stopped_and_goes_on_says_so(config, jackets):
    async with proxy_command(config) as command:
        await command.event("store.found")
        command.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(1.5)
        command.process.send_signal(signal.SIGCONT)
        await command.event("loop.blocked")
        shown = await metrics(command)
        answer = await asked(command)

    assert shown["proxy_loop_lag_seconds"] > 1
    assert answer.header("x-proxy-version") == jackets.id

"""A proxy as people run it: a process with a configuration file, stopped by a signal."""

import asyncio
import json
import signal

import pytest

from proxy.simvendor.script import Events, Rest, Stall
from tests.e2e.models import JACKETS, SHOWN
from tests.harness import Registry, proxy_command, write_config
from tests.raw_client import RawApp, raw_app, request

ASK = {"model": "recommender", "messages": [{"role": "user", "content": "What should I wear?"}]}
STREAM = {**ASK, "stream": True}


@pytest.fixture
async def command(tmp_path, vendor):
    directory = tmp_path / "proxy"
    directory.mkdir()
    registry = Registry.in_directory(directory)
    await registry.register("recommender", JACKETS)
    await registry.pin("recommender", 1)
    await registry.store.close()
    async with proxy_command(write_config(directory, vendor.url)) as running:
        yield running


async def test_it_serves_what_is_pinned_and_stops_when_told(command):
    async with raw_app(command.address) as app:
        await app.send(request(ASK))
        answer = await app.answer()

    status = await command.stop()

    assert answer.json["choices"][0]["message"]["content"] == SHOWN
    assert status == 0
    assert [line["version"] for line in command.lines("request.finished")] == [
        answer.header("x-proxy-version")
    ]
    assert len(command.lines("proxy.stopped")) == 1


async def test_standard_output_holds_json_lines_only(command):
    await command.stop()

    assert [json.loads(line)["event"] for line in bytes(command.out).splitlines()]
    assert command.err == b""


async def refusing(address):
    """Wait until no connection is accepted any more."""
    async with asyncio.timeout(10):
        while True:
            try:
                (await RawApp.connect(address)).vanish()
            except ConnectionError:
                return


async def test_stream_that_is_open_is_finished_before_it_stops(command, vendor):
    released = asyncio.Event()
    vendor.play(Events(2), Stall(until=released), Rest())
    async with raw_app(command.address) as app:
        await app.send(request(STREAM))
        assert b"[DONE]" not in await app.read_some()

        command.process.send_signal(signal.SIGTERM)
        await command.event("proxy.draining")
        await refusing(command.address)
        released.set()
        rest = await app.read_to_end()

    assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert await asyncio.wait_for(command.process.wait(), 10) == 0

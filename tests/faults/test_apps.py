"""Apps and scrapers that half-close, crowd, or read nothing, beside those that behave."""

import asyncio
import socket

import pytest

from proxy.settings import split_address
from tests.faults.load import LONGEST_GAP_S, under_load
from tests.faults.scene import JACKETS_PROMPT, MODEL, metrics, proxy_on
from tests.http.scene import ASK, scene_of
from tests.vendor_script import Stall

CROWD = 300
PLACES = 100


async def test_app_that_closes_its_half_is_taken_to_be_gone(tmp_path):
    """A vendor is not paid for an answer to somebody who may not be there any more."""
    async with scene_of(tmp_path, Stall()) as scene:
        reader, writer = await asyncio.open_connection(*scene.proxy.address)
        writer.write(ASK)
        await scene.vendor.received()
        writer.write_eof()
        rest = await asyncio.wait_for(reader.read(), 5)
        connection = await scene.vendor.connected()
        await asyncio.wait_for(connection.closed.wait(), 5)
        line = await scene.line()
        writer.close()

    assert rest == b""
    assert (line["outcome"], line["status"]) == ("client_closed", 499)


@pytest.fixture
async def crowded(tmp_path, vendor, server, operator):
    """Return a proxy with few places for connections."""
    overrides = {"limits": {"connections": PLACES}}
    async with proxy_on(tmp_path / "proxy", vendor.url, server.url, overrides) as running:
        yield running


async def test_crowd_of_idle_connections_keeps_nobody_from_a_pin(crowded, operator, hats):
    async with under_load(crowded.address) as load:
        idle = [await asyncio.open_connection(*crowded.address) for _ in range(CROWD)]
        await load.more()
        await operator.pin(MODEL, 2)
        await load.stamped(hats.id)
        held = len(crowded.running.listener.connections)
        for _, writer in idle:
            writer.close()

    assert held == PLACES
    assert load.failed == []
    assert load.longest_gap_s < LONGEST_GAP_S


def scraping(address):
    """Return a connection that asked for metrics and takes next to nothing of them."""
    scraper = socket.socket()
    scraper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    scraper.connect(address)
    scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50)
    return scraper


async def test_scrapers_that_read_nothing_have_no_effect(proxy, jackets):
    address = split_address(proxy.running.bound.admin)
    scrapers = [scraping(address) for _ in range(20)]
    async with under_load(proxy.address) as load:
        await load.more(200)
        shown = await metrics(proxy)
    for scraper in scrapers:
        scraper.close()

    assert shown["proxy_ready"] == 1
    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert load.longest_gap_s < LONGEST_GAP_S

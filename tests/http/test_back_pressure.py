"""Who reads slowly holds back who writes, and what waits in the proxy is bounded."""

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.http.frames import sized
from tests.http.scene import ANSWER, ASK, ASK_STREAM
from tests.raw_client import RawApp, request
from tests.vendor_script import Say, Stall, chunk, stream_head, whole

PIECE = b"x" * 60_000
TEXT = ("content-type", "text/plain")


@asynccontextmanager
async def deaf_app(address, kernel_bytes=4096):
    """An app whose kernel takes next to nothing for it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel_bytes)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, address)
    app = RawApp(*await asyncio.open_connection(sock=connection, limit=4096))
    try:
        yield app
    finally:
        app.vanish()


async def settled(count):
    """Wait until `count()` stays what it is; return it."""
    before = -1
    while before != count():
        before = count()
        await asyncio.sleep(0.2)
    return before


@pytest.mark.vendor(Say(whole(PIECE, TEXT)))
async def test_app_that_reads_no_answer_is_served_no_further(scene):
    """What is answered waits in the proxy, so it must not go on answering."""
    async with deaf_app(scene.proxy.address) as app:
        for _ in range(200):
            await app.send(ASK)
            await asyncio.sleep(0.001)

        assert await settled(lambda: len(scene.vendor.requests)) < 120
        for _ in range(200):
            assert len((await app.answer()).body) == len(PIECE)


CLOSING = Say(whole(PIECE, TEXT, ("connection", "close")))


@pytest.mark.vendor(CLOSING)
async def test_answer_that_begins_while_the_one_before_it_waits_is_held_back_too(scene):
    """The vendor's connection is opened after the app stopped reading."""
    async with deaf_app(scene.proxy.address) as app:
        await app.send(ASK * 200)
        begun = await settled(lambda: len(scene.vendor.requests))
    for _ in range(begun - 1):
        scene.vendor.play(CLOSING)
    scene.vendor.play(Say(stream_head()), *[Say(chunk(PIECE))] * 1000)
    before = scene.vendor.said_bytes

    async with deaf_app(scene.proxy.address) as app:
        await app.send(ASK_STREAM * 200)
        said = await scene.vendor.said_until_blocked() - before

    assert said < len(PIECE) * 500


@pytest.mark.vendor(*[Say(stream_head())], *[Say(chunk(PIECE))] * 1000)
async def test_apps_that_do_not_read_cost_no_more_than_their_buffers(scene):
    async with AsyncExitStack() as stack:
        for _ in range(5):
            app = await stack.enter_async_context(deaf_app(scene.proxy.address))
            await app.send(ASK_STREAM)

        said = await scene.vendor.said_until_blocked()

    # For each: what the kernel holds on both ways, and little more.
    assert said < 5 * len(PIECE) * 250
    await scene.nothing_in_flight()


@pytest.mark.vendor(Stall(0.2), Say(whole(ANSWER)), reads="head")
async def test_vendor_that_takes_the_request_late_gets_all_of_it(scene):
    assert (await scene.ask(request(sized(12_000_000)))).status == 200

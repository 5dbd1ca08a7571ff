"""An app that goes away ends what was done for it, at once, wherever that stood."""

import asyncio

import pytest

from tests.http.frames import expecting, sized
from tests.http.scene import ANSWER, ASK, ASK_STREAM, DONE, EVENT, scene_of, until
from tests.raw_client import request
from tests.vendor_script import LAST_CHUNK, Say, Stall, chunk, stream_head, whole

AT_ONCE_S = 1.0


async def gone(scene):
    """Wait until the vendor's connection is closed; return the request's line."""
    connection = await scene.vendor.connected()
    async with asyncio.timeout(AT_ONCE_S):
        await connection.closed.wait()
    return await scene.line()


@pytest.mark.vendor(Stall())
async def test_before_the_answer(scene):
    await scene.app.send(ASK)
    await scene.vendor.received()

    scene.app.vanish()

    line = await gone(scene)
    assert (line["outcome"], line["status"], line["error"]) == ("client_closed", 499, None)


@pytest.mark.vendor(Stall())
async def test_half_closed_is_gone(scene):
    """Apps that are still there do not half-close; and for one that is gone a vendor is paid."""
    await scene.app.send(ASK)
    await scene.vendor.received()

    scene.app.leave()

    assert (await gone(scene))["outcome"] == "client_closed"


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT)), Stall())
async def test_in_the_middle_of_a_stream(scene):
    await scene.app.send(ASK_STREAM)
    await scene.app.read_some()

    scene.app.vanish()

    line = await gone(scene)
    assert (line["outcome"], line["status"]) == ("client_closed", 200)
    assert line["bytes_out"] == len(EVENT)


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT) + chunk(DONE)), Stall(), Say(LAST_CHUNK))
async def test_after_the_end_marker_all_was_well(scene):
    """SDKs hang up as soon as they have read it."""
    await scene.app.send(ASK_STREAM)
    while DONE not in await scene.app.read_some():
        pass

    scene.app.vanish()

    assert (await gone(scene))["outcome"] == "ok"


@pytest.mark.vendor(Say(whole(b"x" * 2**24)))
async def test_while_it_was_not_reading(scene):
    await scene.app.send(ASK)
    await scene.vendor.said_until_blocked(0.1)

    scene.app.vanish()

    assert (await gone(scene))["outcome"] == "client_closed"


@pytest.mark.parametrize(
    "sent",
    [b"P", ASK[:60], ASK[:-10], request(sized(100_000))[:50_000], expecting()],
    ids=["letter", "head", "body", "large body", "asked"],
)
async def test_before_its_request_was_whole(scene, sent):
    await scene.app.send(sent)
    await until(lambda: scene.connections == 1)
    await asyncio.sleep(0.02)

    scene.app.vanish()

    line = await scene.line()
    assert (line["outcome"], line["status"]) == ("client_closed", 499)
    assert scene.vendor.requests == []


async def test_without_a_word(scene):
    await scene.ask()

    scene.app.vanish()
    await until(lambda: scene.connections == 0)

    assert len(await scene.lines()) == 1


@pytest.mark.vendor(Stall())
async def test_with_requests_in_a_row(scene):
    await scene.app.send(ASK * 3 + ASK[:-10])
    await scene.vendor.received()

    scene.app.vanish()

    lines = await scene.lines(4)
    assert [line["outcome"] for line in lines] == ["client_closed"] * 4
    assert len(scene.vendor.requests) == 1


@pytest.mark.vendor(Stall(0.1), Say(whole(ANSWER)))
async def test_others_are_served_all_the_same(scene, tmp_path):
    await scene.app.send(ASK)
    await scene.vendor.received()
    scene.app.vanish()
    (tmp_path / "other").mkdir()

    async with scene_of(tmp_path / "other") as other:
        assert (await other.ask()).body == ANSWER
    await scene.nothing_in_flight()

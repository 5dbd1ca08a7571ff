"""Every wait has a limit, and what happens at it is what was promised."""

import asyncio
import contextlib
import socket

import pytest

from proxy.http.deadlines import TICK_S, Deadlines
from tests.e2e.models import recommender
from tests.http.frames import expecting, sized
from tests.http.scene import (
    ANSWER,
    ASK,
    ASK_STREAM,
    EVENT,
    LIST,
    refused,
    until,
)
from tests.raw_client import request
from tests.vendor_script import Say, Stall, chunk, stream_head, whole

SHORT = 0.1


def limits(**seconds):
    return {"timeouts": seconds}


# What an app may take.


@pytest.mark.vendor(overrides=limits(head_s=SHORT))
@pytest.mark.parametrize("sent", [b"P", ASK[:60]], ids=len)
async def test_head_that_does_not_end_closes_the_connection_without_a_word(scene, sent):
    await scene.app.send(sent)

    assert await scene.app.closed() in ("cut", "reset")


@pytest.mark.vendor(overrides=limits(head_s=SHORT))
async def test_head_that_does_not_end_leaves_a_line(scene):
    await scene.app.send(ASK[:60])

    line = await scene.line()

    assert (line["status"], line["outcome"]) == (408, "refused")
    assert line["error"] == "request_timeout"


@pytest.mark.vendor(overrides=limits(body_s=SHORT))
@pytest.mark.parametrize(
    "sent",
    [ASK[:-10], request(sized(100_000))[:50_000], expecting()],
    ids=["small", "large", "none"],
)
async def test_body_that_does_not_end_is_a_request_timeout(scene, sent):
    answer = await scene.ask(sent)

    assert refused(answer) == (408, "request_timeout")
    assert await scene.app.closed() == "cut"
    assert scene.vendor.requests == []


@pytest.mark.vendor(overrides=limits(body_s=SHORT))
async def test_body_that_trickles_is_a_request_timeout_all_the_same(scene):
    async def trickle():
        await scene.app.send(ASK[:-60])
        for byte in ASK[-60:]:
            await asyncio.sleep(0.03)
            await scene.app.send(bytes([byte]))

    trickling = asyncio.ensure_future(trickle())
    answer = await scene.app.answer()
    trickling.cancel()

    assert refused(answer) == (408, "request_timeout")


@pytest.mark.vendor(overrides=limits(keepalive_s=SHORT))
@pytest.mark.parametrize("first", [b"", ASK, LIST], ids=["new", "answered", "listed"])
async def test_idle_connection_is_closed(scene, first):
    if first:
        await scene.ask(first)

    assert await scene.app.closed() in ("cut", "reset")


@pytest.mark.vendor(overrides=limits(keepalive_s=SHORT))
async def test_connection_that_never_spoke_leaves_no_line(scene):
    await scene.app.closed()
    await until(lambda: scene.connections == 0)

    assert await scene.lines(0) == []


@pytest.mark.vendor(Stall(2 * SHORT), Say(whole(ANSWER)), overrides=limits(keepalive_s=SHORT))
async def test_connection_is_not_idle_while_it_waits_for_an_answer(scene):
    assert (await scene.ask()).body == ANSWER


@pytest.mark.vendor(overrides=limits(head_s=SHORT, body_s=SHORT))
async def test_what_came_in_time_has_its_deadlines_behind_it(scene):
    await scene.ask()
    await asyncio.sleep(2 * SHORT)

    assert (await scene.ask()).body == ANSWER


@pytest.mark.vendor(
    Say(whole(b"x" * 64 * 2**20)), overrides=limits(write_s=SHORT, idle_s=60, keepalive_s=60)
)
async def test_app_that_reads_nothing_ends_the_answer_on_both_sides(scene):
    await scene.app.send(ASK)

    line = await scene.line()

    assert (line["outcome"], line["status"]) == ("stalled", 200)
    connection = await scene.vendor.connected()
    await asyncio.wait_for(connection.closed.wait(), 1)
    await until(lambda: scene.connections == 0)


@pytest.mark.vendor(
    Say(whole(b"x" * 6 * 2**20)), overrides=limits(write_s=5 * SHORT, idle_s=60, keepalive_s=60)
)
async def test_app_that_reads_now_and_then_gets_its_answer(scene):
    await scene.app.send(ASK)
    got = 0

    while got < 6 * 2**20:
        some = await scene.app.read_some()
        assert some, "the answer ended early"
        got += len(some)
        if got < 2 * 2**20:
            await asyncio.sleep(0.02)

    assert (await scene.line())["outcome"] != "stalled"


# What a vendor may take.


def versioned(timeout_s):
    """A model whose requests may take `timeout_s` in all."""
    return {"recommender": recommender(more=f"[routing]\ntimeout_s = {timeout_s}\n")}


@pytest.mark.vendor(Stall(), models=versioned(SHORT))
async def test_total_time_of_the_version_bounds_the_wait_for_an_answer(scene):
    assert refused(await scene.ask()) == (504, "upstream_timeout")


@pytest.mark.vendor(
    Say(stream_head()), *[Stall(0.05), Say(chunk(EVENT))] * 200, models=versioned(2 * SHORT)
)
async def test_total_time_of_the_version_bounds_a_stream(scene):
    answer = await scene.ask(ASK_STREAM)

    assert answer.ending != "tidy"
    line = await scene.line()
    assert (line["outcome"], line["error"]) == ("broken", "upstream_timeout")
    assert line["duration_ms"] < 2000


@pytest.mark.vendor(Stall(), overrides=limits(first_byte_s=SHORT))
async def test_head_without_an_end_from_the_vendor_is_a_timeout(scene):
    scene.vendor.play(Say(b"HTTP/1.1 200 OK\r\n"), Stall())

    assert refused(await scene.ask()) == (504, "upstream_timeout")


@pytest.mark.vendor(
    Say(stream_head()),
    *[Stall(0.1), Say(chunk(b": ping\n\n"))] * 5,
    Say(chunk(EVENT) + b"0\r\n\r\n"),
    overrides=limits(idle_s=3 * SHORT, first_byte_s=3 * SHORT),
)
async def test_stream_may_take_longer_than_any_silence_in_it(scene):
    assert (await scene.ask(ASK_STREAM)).ending == "tidy"


@pytest.mark.vendor(overrides=limits(upstream_keepalive_s=SHORT))
async def test_idle_connection_to_the_vendor_is_closed(scene):
    await scene.ask()

    connection = await scene.vendor.connected()

    await asyncio.wait_for(connection.closed.wait(), 5)
    assert (await scene.ask()).body == ANSWER
    assert len(scene.vendor.connections) == 2


@contextlib.contextmanager
def full_listener():
    """A port that takes no connection: its queue of two is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield "http://{}:{}".format(*listener.getsockname())


@pytest.fixture
def full_vendor():
    with full_listener() as url:
        yield url


@pytest.fixture
async def unreachable(tmp_path, full_vendor):
    from tests.http.scene import scene_of

    vendors = {"vendors": {"openai": {"base_url": full_vendor}}, **limits(connect_s=SHORT)}
    async with scene_of(tmp_path, overrides=vendors) as opened:
        yield opened


async def test_connection_that_is_not_taken_is_unreachable(unreachable):
    assert refused(await unreachable.ask()) == (502, "upstream_unreachable")


# One timer for all.


class Waiter:
    def __init__(self, deadline):
        self.deadline = deadline
        self.expired = asyncio.Event()

    def expire(self, now):
        self.deadline = float("inf")
        self.expired.set()


async def test_what_is_late_is_told_and_what_is_not_is_left_alone():
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    late, early = Waiter(loop.time()), Waiter(loop.time() + 60)
    deadlines.add(late)
    deadlines.add(early)

    await asyncio.wait_for(late.expired.wait(), 10 * TICK_S)

    assert not early.expired.is_set()
    deadlines.close()


async def test_what_was_removed_is_not_told():
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    removed, other = Waiter(loop.time()), Waiter(loop.time() + TICK_S / 2)
    deadlines.add(removed)
    deadlines.add(other)
    deadlines.remove(removed)

    await asyncio.wait_for(other.expired.wait(), 10 * TICK_S)

    assert not removed.expired.is_set()
    deadlines.close()

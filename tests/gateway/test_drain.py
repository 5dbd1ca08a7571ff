"""Shutting down: what is in flight is finished, nothing new is begun, and there is an end to it."""

import asyncio
import signal
import time
from contextlib import asynccontextmanager

import pytest

from tests.e2e.models import JACKETS
from tests.harness import Registry, proxy_command, write_config
from tests.http.scene import (
    ANSWER,
    ASK,
    ASK_STREAM,
    DONE,
    EVENT,
    STREAMED,
    refused,
    scene_of,
    until,
)
from tests.raw_client import RawApp, raw_app
from tests.vendor_script import LAST_CHUNK, Say, ScriptedVendor, Stall, chunk, stream_head, whole

PIECE = b"x" * 60_000


@asynccontextmanager
async def stopping(scene, grace_s=5.0, *, delay_s=0.0):
    """Have the proxy stop in the background; at the end of the block it must have. Without a
    delay it listens no more when the block begins."""
    task = asyncio.ensure_future(scene.proxy.running.stop(grace_s, delay_s=delay_s))
    scene.proxy.running, running = None, scene.proxy.running
    await until(lambda: running.gateway.draining if delay_s else running.deaf.is_set())
    yield task
    await asyncio.wait_for(task, 10)


@asynccontextmanager
async def streaming(directory):
    """A stream that has begun and ends when the event that is yielded is set."""
    release = asyncio.Event()
    script = (
        *(Say(stream_head() + chunk(EVENT)), Stall(until=release)),
        Say(chunk(DONE) + LAST_CHUNK),
    )
    async with scene_of(directory, *script) as scene:
        await scene.app.send(ASK_STREAM)
        await scene.vendor.received()
        yield scene, release


async def test_stream_in_flight_is_finished(tmp_path):
    async with streaming(tmp_path) as (scene, release), stopping(scene) as task:
        assert not task.done()
        release.set()
        answer = await scene.app.answer()

        assert (answer.body, answer.ending) == (STREAMED, "tidy")
        assert await scene.app.closed() == "cut"
        assert (await scene.line())["outcome"] == "ok"


async def test_idle_connections_are_closed_at_once(scene):
    await scene.ask()

    async with stopping(scene):
        assert await scene.app.closed() == "cut"


async def test_no_connection_is_taken_any_more(tmp_path):
    async with streaming(tmp_path) as (scene, release):
        address = scene.proxy.address
        async with stopping(scene):
            with pytest.raises(ConnectionError):
                await RawApp.connect(address)
            release.set()


@asynccontextmanager
async def half_a_request(scene):
    """A connection on which the first half of a request was read."""
    async with raw_app(scene.proxy.address) as other:
        await other.send(ASK[:60])
        await until(lambda: sum(one.is_reading for one in scene.listener.connections) == 1)
        yield other


async def test_request_that_is_being_sent_is_answered(tmp_path):
    async with scene_of(tmp_path) as scene, half_a_request(scene) as other, stopping(scene):
        await other.send(ASK[60:])
        answer = await other.answer()

        assert (answer.status, answer.body) == (200, ANSWER)
        assert answer.header("connection") == "close"


async def test_request_that_comes_to_its_end_too_late_is_told_so(tmp_path):
    async with scene_of(tmp_path) as scene, half_a_request(scene) as other:
        async with stopping(scene, grace_s=0.1):
            answer = await other.answer()

        assert refused(answer) == (503, "draining")
        assert (answer.header("retry-after"), answer.header("connection")) == ("1", "close")


async def test_request_behind_another_is_the_last(tmp_path):
    async with streaming(tmp_path) as (scene, release), stopping(scene):
        await scene.app.send(ASK)
        await asyncio.sleep(0.02)
        release.set()
        first, second = await scene.app.answer(), await scene.app.answer()

        assert (first.ending, first.header("connection")) == ("tidy", None)
        assert (second.ending, second.header("connection")) == ("tidy", "close")
        assert await scene.app.closed() == "cut"


async def test_what_is_in_flight_after_the_grace_is_cut(tmp_path):
    async with streaming(tmp_path) as (scene, _), stopping(scene, grace_s=0.2):
        answer = await scene.app.answer()

        assert (answer.body, answer.ending != "tidy") == (EVENT, True)
        assert (await scene.line())["outcome"] == "drained"


async def test_request_without_an_answer_after_the_grace_is_cut(tmp_path):
    async with scene_of(tmp_path, Stall()) as scene:
        await scene.app.send(ASK)
        await scene.vendor.received()

        async with stopping(scene, grace_s=0.2):
            assert await scene.app.closed() in ("cut", "reset")
            assert (await scene.line())["outcome"] == "drained"


async def test_app_that_reads_slowly_gets_its_answers_to_the_end(tmp_path):
    """They are over for the gateway while their last bytes are still in the proxy."""
    script = Say(whole(PIECE, ("content-type", "text/plain")))
    async with scene_of(tmp_path, script) as scene:
        served = -1
        while served != len(scene.vendor.requests):
            served = len(scene.vendor.requests)
            await scene.app.send(ASK)
            await asyncio.sleep(0.02)
            await scene.nothing_in_flight()

        async with stopping(scene):
            answers = [await scene.app.answer() for _ in range(served)]

        assert {(len(answer.body), answer.ending) for answer in answers} == {(len(PIECE), "tidy")}


async def test_app_that_reads_nothing_does_not_hold_up_the_end(tmp_path):
    async with scene_of(tmp_path, Say(whole(PIECE * 500))) as scene:
        await scene.app.send(ASK)
        await scene.vendor.said_until_blocked(0.1)

        started = time.monotonic()
        async with stopping(scene, grace_s=0.2):
            pass

        assert time.monotonic() - started < 3


# Before that, for a while: all is answered, and told to move on.


async def test_kept_connection_is_answered_and_closed(scene):
    await scene.ask()

    async with stopping(scene, delay_s=5):
        answer = await scene.ask()

        assert (answer.status, answer.header("connection")) == (200, "close")
        assert await scene.app.closed() == "cut"


async def test_new_connection_is_answered_and_closed(scene):
    address = scene.proxy.address
    async with stopping(scene, delay_s=5):
        async with raw_app(address) as other:
            await other.send(ASK)
            answer = await other.answer()
        scene.app.vanish()

        assert (answer.status, answer.header("connection")) == (200, "close")


async def test_pipelined_requests_are_all_answered(scene):
    async with stopping(scene, delay_s=5):
        await scene.app.send(ASK * 3)
        answers = [await scene.app.answer() for _ in range(3)]

        assert [answer.header("connection") for answer in answers] == [None, None, "close"]


async def test_proxy_is_not_ready_from_the_start_of_it(scene):
    view = scene.proxy.running.view
    async with stopping(scene, delay_s=0.2):
        assert view.readiness()["draining"]
        assert not view.is_ready


async def test_it_ends_when_no_app_is_connected(scene):
    async with stopping(scene, delay_s=60):
        scene.app.vanish()


async def test_it_ends_with_what_is_cut_off(scene):
    running = scene.proxy.running
    async with stopping(scene, delay_s=60):
        running.cut_off()

        assert await scene.app.closed() in ("cut", "reset")


async def test_connection_is_idle_for_the_delay_before_it_is_closed(scene):
    """A request may be on the way while the sockets are closed, or just after an answer."""
    scene.listener.leaving = True
    scene.listener.shorten(0.3)

    answer = await scene.ask()
    async with raw_app(scene.proxy.address) as other:
        began = time.monotonic()
        closed = await other.closed()

    assert answer.status == 200
    assert closed == "cut"
    assert 0.25 < time.monotonic() - began < 2


async def test_the_fleet_is_told_when_no_request_is_taken_any_more(scene):
    """A pin does not wait for who drains, so that must not be said too early."""
    running = scene.proxy.running
    async with stopping(scene, delay_s=0.1):
        before = running.follower.reporter.state
        await running.deaf.wait()
        await until(lambda: running.follower.reporter.state == "draining")

        assert before == "serving"


# As a process.


@asynccontextmanager
async def process(directory, *script):
    directory = directory / "proxy"
    directory.mkdir()
    registry = Registry.in_directory(directory)
    await registry.register("recommender", JACKETS)
    await registry.pin("recommender", 1)
    await registry.store.close()
    async with (
        ScriptedVendor(*script) as vendor,
        proxy_command(write_config(directory, vendor.url)) as command,
        raw_app(command.address) as app,
    ):
        yield vendor, command, app


async def test_second_signal_does_not_wait(tmp_path):
    script = (Say(stream_head() + chunk(EVENT)), Stall())
    async with process(tmp_path, *script) as (_, command, app):
        await app.send(ASK_STREAM)
        await app.read_some()
        command.process.send_signal(signal.SIGTERM)
        await command.event("proxy.draining")
        command.process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(command.process.wait(), 5) == 0
        assert [line["outcome"] for line in command.lines("request.finished")] == ["drained"]


async def test_second_signal_does_not_wait_for_an_app_that_reads_nothing(tmp_path):
    async with process(tmp_path, Say(whole(PIECE * 500))) as (vendor, command, app):
        await app.send(ASK)
        await vendor.said_until_blocked(0.1)
        command.process.send_signal(signal.SIGINT)
        await command.event("proxy.draining")
        command.process.send_signal(signal.SIGINT)

        assert await asyncio.wait_for(command.process.wait(), 5) == 0


async def test_process_without_traffic_stops_at_once(tmp_path):
    async with process(tmp_path, Say(whole(ANSWER))) as (_, command, app):
        assert await command.stop() == 0
        assert await app.closed() == "cut"
        assert command.err == b""

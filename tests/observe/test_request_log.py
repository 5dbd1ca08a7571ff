"""Request lines are finished in batches, and say when each request ended all the same."""

import asyncio
import io
import json
import time
from datetime import datetime

import pytest

from proxy.observe.log_sink import LogSink
from proxy.observe.request_line import Outcome, RequestLine
from proxy.observe.request_log import BATCH_S, RequestLog
from proxy.observe.stats import Stats


@pytest.fixture
def opened():
    """Return a function that makes a request log, and one that gives the lines it wrote."""
    file = io.BytesIO()
    sink = LogSink(file, most_lines=100)

    def make(**options):
        stats, loop = Stats(), asyncio.get_running_loop()
        return RequestLog(sink, stats, loop, **{"enabled": True, **options}), stats

    def lines():
        sink.close()
        return [json.loads(line) for line in file.getvalue().splitlines()]

    return make, lines


def line(request_id="req_1"):
    return RequestLine("", request_id, status=200, outcome=Outcome.OK)


async def test_a_line_is_written_and_counted_a_moment_later(opened):
    make, lines = opened
    log, stats = make()
    log.add(line(), time.perf_counter())
    assert stats.requests.total() == 0

    async with asyncio.timeout(10 * BATCH_S + 1):
        while not stats.requests:  # noqa: ASYNC110  # the log's own timer is waited for
            await asyncio.sleep(BATCH_S / 4)

    assert [one["request_id"] for one in lines()] == ["req_1"]


async def test_a_duration_ends_with_the_request_not_with_the_batch(opened):
    make, lines = opened
    log, _ = make()
    arrived = time.perf_counter() - 0.5
    log.add(line(), arrived)
    ended = datetime.now().astimezone()
    time.sleep(0.3)  # noqa: ASYNC251  # the loop is busy, so the batch is late
    log.write_out()

    (written,) = lines()
    assert 500 <= written["duration_ms"] < 700
    assert abs((datetime.fromisoformat(written["ts"]) - ended).total_seconds()) < 0.1


async def test_lines_keep_the_order_in_which_requests_ended(opened):
    make, lines = opened
    log, _ = make()
    for number in range(50):
        log.add(line(f"req_{number}"), time.perf_counter())
    log.write_out()

    assert [one["request_id"] for one in lines()] == [f"req_{number}" for number in range(50)]


async def test_requests_are_counted_where_their_lines_are_not_wanted(opened):
    make, lines = opened
    log, stats = make(enabled=False)
    log.add(line(), time.perf_counter())
    log.write_out()

    assert stats.requests.total() == 1
    assert lines() == []


async def test_writing_out_twice_writes_nothing_twice(opened):
    make, lines = opened
    log, _ = make()
    log.add(line(), time.perf_counter())
    log.write_out()
    log.write_out()

    assert len(lines()) == 1

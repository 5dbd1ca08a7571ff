"""A loop that was kept from its work is seen: in a number, and in the log if apps felt it."""

import asyncio
import time

import pytest

from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.observe.loop_lag import BLOCKED_S, EVERY_S, SHOWN_FOR_S, LoopLag
from proxy.observe.stats import Stats
from tests.harness import LogFile


@pytest.fixture
async def story():
    """Return what measures the loop of this test, the counters and the log that it writes to."""
    log, stats = LogFile(), Stats()
    sink = LogSink(log, most_lines=10)
    sink.attach(asyncio.get_running_loop())
    lag = LoopLag(asyncio.get_running_loop(), stats, open_log(sink))
    yield lag, stats, log
    lag.close()
    sink.close()


@pytest.mark.slow
async def test_a_block_is_measured_and_said(story):
    _, stats, log = story
    blocked_s = BLOCKED_S + 2 * EVERY_S

    time.sleep(blocked_s)  # noqa: ASYNC251  # that is the point
    (line,) = await log.wait_for("loop.blocked", 1)

    # It began between two turns of the timer, at worst just after one.
    assert blocked_s - EVERY_S <= line["blocked_s"] < blocked_s + 2
    assert stats.loop_lag_s == pytest.approx(line["blocked_s"], abs=0.001)


def measured(story, *lags, every_s):
    """Note `lags`, `every_s` seconds apart; return what was shown after each."""
    lag, stats, _ = story
    began = asyncio.get_running_loop().time()
    shown = []
    for count, lag_s in enumerate(lags, start=1):
        lag.note(began + count * every_s, lag_s)
        shown.append(stats.loop_lag_s)
    return shown


async def test_the_longest_lag_is_shown(story):
    assert measured(story, 0.1, 0.3, 0.2, every_s=1) == [0.1, 0.3, 0.3]


async def test_a_lag_is_shown_for_a_minute_at_least_and_two_at_most(story):
    every_s = SHOWN_FOR_S / 2 + 1

    assert measured(story, 0.9, 0.1, 0.2, 0.3, every_s=every_s) == [0.9, 0.9, 0.9, 0.3]


async def test_what_was_shown_before_a_long_silence_is_not_shown_after_it(story):
    assert measured(story, 0.9, 0.1, every_s=2 * SHOWN_FOR_S + 1) == [0.9, 0.1]


async def test_what_nobody_feels_is_not_logged(story):
    _, _, log = story
    measured(story, BLOCKED_S - 0.1, BLOCKED_S, every_s=1)

    (line,) = await log.wait_for("loop.blocked", 1)
    assert line["blocked_s"] == BLOCKED_S


async def test_a_loop_that_has_ended_is_not_measured_any_more(story):
    lag, stats, _ = story
    lag.close()

    time.sleep(2 * EVERY_S)  # noqa: ASYNC251  # as above
    await asyncio.sleep(0.01)

    assert stats.loop_lag_s == 0

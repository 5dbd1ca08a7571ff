"""What signals ask of a process that serves."""

import asyncio
import os
import signal

import pytest

from proxy.signals import Asked


@pytest.fixture
async def asked():
    loop = asyncio.get_running_loop()
    opened = Asked()
    opened.listen(reloads=True)
    yield opened
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.remove_signal_handler(number)


async def signalled(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.01)


async def test_sigterm_asks_to_stop(asked):
    await signalled(signal.SIGTERM)

    assert not await asked.wait()
    assert (asked.stop.is_set(), asked.now.is_set(), asked.quick) == (True, False, False)


async def test_a_second_signal_asks_not_to_wait(asked):
    await signalled(signal.SIGTERM, signal.SIGTERM)

    assert asked.now.is_set()


async def test_an_interrupt_gives_nobody_time_to_move_on(asked):
    await signalled(signal.SIGINT)

    assert not await asked.wait()
    assert asked.quick


async def test_sighup_asks_to_reload(asked):
    await signalled(signal.SIGHUP)

    assert await asked.wait()
    assert not asked.stop.is_set()


async def test_several_that_come_together_are_one_reload(asked):
    await signalled(signal.SIGHUP, signal.SIGHUP)

    assert await asked.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asked.wait(), 0.01)


async def test_sighup_stops_what_cannot_reload(asked):
    asked.listen(reloads=False)
    await signalled(signal.SIGHUP)

    assert not await asked.wait()


async def test_what_is_done_when_a_stop_comes_is_given_up(asked):
    begun = asyncio.Event()

    async def work():
        begun.set()
        await asyncio.Event().wait()

    working = asyncio.ensure_future(asked.unless_stopped(work()))
    await begun.wait()
    await signalled(signal.SIGTERM)

    assert not await working


async def test_what_is_done_without_a_stop_is_done(asked):
    done = []

    async def work():
        done.append(True)

    assert await asked.unless_stopped(work())
    assert done == [True]


async def test_what_goes_wrong_meanwhile_is_told(asked):
    async def work():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await asked.unless_stopped(work())

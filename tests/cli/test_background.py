"""A server beside a command: it runs to the end of the block, and what fails there is told here."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from proxy.cli.background import in_background


@asynccontextmanager
async def served(log):
    log.append(("opened", threading.current_thread() is threading.main_thread()))
    yield "where it is"
    log.append("closed")


def test_it_has_a_thread_and_a_loop_of_its_own_until_the_end_of_the_block():
    log = []

    with in_background(lambda: served(log)) as where:
        assert where == "where it is"
        assert log == [("opened", False)]

    assert log[1:] == ["closed"]


def test_it_is_closed_when_the_command_fails():
    log = []

    with pytest.raises(ValueError, match="mine"), in_background(lambda: served(log)):
        raise ValueError("mine")

    assert log[1:] == ["closed"]


def test_what_cannot_be_opened_fails_here():
    @asynccontextmanager
    async def failing():
        raise OSError("the address is taken")
        yield

    with pytest.raises(OSError, match="taken"), in_background(failing):
        pass


async def test_a_loop_that_runs_is_not_disturbed():
    with in_background(lambda: served([])):
        await asyncio.sleep(0)

"""A server beside a command, on a thread and an event loop of its own.

A proxy and a command's own work do not share a loop: what one of them does would be counted as the
other's latency, and a server that runs its loop to the end leaves none for anybody else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

Run = Callable[[Coroutine[Any, Any, None]], None]

_Started = tuple[T, asyncio.AbstractEventLoop, asyncio.Event]


@contextmanager
def in_background(
    opened: Callable[[], AbstractAsyncContextManager[T]], run: Run = asyncio.run
) -> Iterator[T]:
    """Enter what `opened` returns on a thread of its own, and leave it at the end of the block;
    yield what it gave. `run` is what runs a loop. Raises whatever entering it raises."""
    started: Future[_Started[T]] = Future()
    thread = threading.Thread(target=lambda: run(_serve(opened, started)), daemon=True)
    thread.start()
    value, loop, stop = started.result()
    try:
        yield value
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(
    opened: Callable[[], AbstractAsyncContextManager[T]], started: Future[_Started[T]]
) -> None:
    stop = asyncio.Event()
    try:
        async with opened() as value:
            started.set_result((value, asyncio.get_running_loop(), stop))
            await stop.wait()
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)

"""Steps that the tests of both stores share."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from proxy.store.base import Store
from proxy.versions.record import Pins
from tests.contracts.places import MODEL, new, operation, settled

# Far above what anything here needs, so that a busy machine is no failure.
PATIENCE_S = 5.0


def writes(store: Store) -> list[Callable[[], Awaitable[Any]]]:
    """Return two ways to write that need nothing to be there."""
    return [
        lambda: store.register(new("b"), operation()),
        lambda: store.freeze(MODEL, True, by="ada", reason="", operation=operation()),
    ]


async def refused(
    calls: Iterable[Callable[[], Awaitable[Any]]], error: type[Exception]
) -> list[Any]:
    """Carry out all `calls`; each must end in `error`. Return the errors."""
    told = await settled(call() for call in calls)
    assert [type(each) for each in told] == [error] * len(told)
    return told


async def eventually(right: Callable[[], bool]) -> None:
    """Wait for another process until `right` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not right():  # noqa: ASYNC110  # another process is waited for
            await asyncio.sleep(0.02)


async def until(pins: AsyncIterator[Pins], right: Callable[[Pins], bool]) -> Pins:
    """Read a watch on until `right` holds; return those pins."""
    async with asyncio.timeout(PATIENCE_S):
        async for seen in pins:
            if right(seen):
                return seen
    raise AssertionError("a watch does not end by itself")


def by_hand(path: Path, *statements: str) -> list[list[Any]]:
    """Run SQL past the store, as somebody with a terminal would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return [connection.execute(statement).fetchall() for statement in statements]

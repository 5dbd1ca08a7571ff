"""Connections to Redis, kept and used one command at a time, with every wait bounded.

Strategy: one attempt, our own deadline, and at each failure we know whether the command had been
sent. Nothing is sent twice by itself, but where a server said that another one serves now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from proxy.store.redis_answers import FAILURES, Elsewhere, Refused, failure, lost
from proxy.store.redis_fit import parse_info, refuse_unfit
from proxy.store.redis_wire import Command, Wire

DEADLINE_S = 2.0
# A proxy has little to say to its store; a command line even less.
MAX_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Source:
    """Where connections come from. `make` opens one; `where` is the address, without credentials;
    `seeks` says that each connection looks for the server anew."""

    make: Callable[[], Awaitable[Wire]]
    where: str
    seeks: bool = False


@dataclass(slots=True)
class _Line:
    """A connection, and whether its server was found fit to keep versions."""

    wire: Wire
    fit: bool = False

    async def answers(self, until_s: float) -> bool:
        try:
            await self.wire.ask([("PING",)], until_s)
        except FAILURES:
            return False
        return True


class Link:
    """The way to one Redis, over a few connections that are kept."""

    def __init__(self, source: Source, *, deadline_s: float = DEADLINE_S) -> None:
        self._source = source
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._idle: list[_Line] = []
        self._closed = False

    async def ask(self, *commands: Command) -> list[Any]:
        """Return the answers to `commands`, which change nothing or may well happen twice."""
        until_s = asyncio.get_running_loop().time() + self._deadline_s
        try:
            try:
                return await self._ask(commands, until_s)
            except Elsewhere:
                if not self._source.seeks:
                    raise
                return await self._ask(commands, until_s)
        except FAILURES as error:
            raise failure(error) from None

    async def change(self, operation: str, command: Command) -> Any:
        """Send one write. Raises `OutcomeUnknown` if it was sent and its answer is lost."""
        until_s = asyncio.get_running_loop().time() + self._deadline_s
        try:
            try:
                return await self._change(operation, command, until_s)
            except Elsewhere:
                if not self._source.seeks:
                    raise
                return await self._change(operation, command, until_s)
        except FAILURES as error:
            raise failure(error) from None

    async def close(self) -> None:
        """Close every connection; one that is in use, as soon as its command is done."""
        self._closed = True
        idle, self._idle = self._idle, []
        for line in idle:
            line.wire.close()

    async def _ask(self, commands: tuple[Command, ...], until_s: float) -> list[Any]:
        line = await self._taken(until_s)
        try:
            answers = await line.wire.ask(commands, until_s)
        except BaseException as error:
            self._returned(line, error)
            raise
        self._returned(line)
        return answers

    async def _change(self, operation: str, command: Command, until_s: float) -> Any:
        line = await self._taken(until_s, proven=True)
        try:
            if not line.fit:
                await inspect(line.wire, until_s)
                line.fit = True
            answer = await _written(line.wire, operation, command, until_s)
        except BaseException as error:
            self._returned(line, error)
            raise
        self._returned(line)
        return answer

    async def _taken(self, until_s: float, *, proven: bool = False) -> _Line:
        """Return a connection, which `_returned` has to take back. A `proven` one answered just
        now, since whatever is lost after a write was sent leaves its outcome unknown."""
        if self._slots.locked():
            async with asyncio.timeout_at(until_s):
                await self._slots.acquire()
        else:
            await self._slots.acquire()
        try:
            while self._idle:
                line = self._idle.pop()
                if line.wire.in_step and (not proven or await line.answers(until_s)):
                    return line
                line.wire.close()
            async with asyncio.timeout_at(until_s):
                return _Line(await self._source.make())
        except BaseException:
            self._slots.release()
            raise

    def _returned(self, line: _Line, error: BaseException | None = None) -> None:
        """Take back a connection that was used. After `error` it is kept if that was an answer."""
        self._slots.release()
        kept = error is None or (isinstance(error, Refused) and not isinstance(error, Elsewhere))
        if kept and not self._closed:
            self._idle.append(line)
            return
        line.wire.close()
        if isinstance(error, Elsewhere):  # the idle ones lead to the same server
            for idle in self._idle:
                idle.wire.close()
            self._idle.clear()


async def _written(wire: Wire, operation: str, command: Command, until_s: float) -> Any:
    try:
        (answer,) = await wire.ask([command], until_s)
    except Refused:
        raise
    except FAILURES:
        raise lost(operation) from None
    return answer


async def inspect(wire: Wire, until_s: float) -> bool:
    """Refuse a server that is not fit, as `refuse_unfit` does. Returns whether it could be asked:
    where that is not allowed, or not implemented, the operator has to know."""
    try:
        (text,) = await wire.ask([("INFO",)], until_s)
    except Refused:
        return False
    refuse_unfit(parse_info(text))
    return True

"""Connections to Redis, used one command at a time, with every wait bounded.

Strategy: redis-py's clients retry writes ten times and wait for minutes. So its connections are
used without its clients: one attempt, our own deadline, and at each failure we know whether the
command had been sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from redis import exceptions as redis_errors

from proxy.store.redis_answers import ELSEWHERE, FAILURES, failure, lost, refusal
from proxy.store.redis_fit import parse_info, refuse_unfit

DEADLINE_S = 2.0
# A proxy has little to say to its store; a command line even less.
MAX_CONNECTIONS = 4

T = TypeVar("T")

Command = Sequence[str | bytes | int]


class Wire(Protocol):
    """What is used of `redis.asyncio.Connection`."""

    @property
    def is_connected(self) -> bool: ...

    async def connect(self) -> None: ...

    async def disconnect(self, nowait: bool = False) -> None: ...

    async def can_read(self) -> bool: ...

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]: ...

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None: ...

    async def read_response(
        self, *, disconnect_on_error: bool = True, push_request: bool | None = False
    ) -> Any: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where connections come from. `make` gives a new one, not connected yet; `where` is the
    address, without credentials; `seeks` says that each connection looks for the server anew."""

    make: Callable[[], Wire]
    where: str
    seeks: bool = False


@dataclass(slots=True)
class _Line:
    """A connection, and whether its server was found fit to keep versions."""

    wire: Wire
    fit: bool = False

    async def is_open(self) -> bool:
        """Say whether the connection is in step: one that was closed, or got an answer that
        nobody waits for, is not."""
        return self.wire.is_connected and not await self.wire.can_read()

    async def answers(self) -> bool:
        try:
            await exchange(self.wire, [("PING",)])
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

    async def ask(self, *commands: Command) -> list[Any]:
        """Return the answers to `commands`, which change nothing or may well happen twice."""

        async def read(line: _Line) -> list[Any]:
            return await exchange(line.wire, commands)

        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._use(read)
        except FAILURES as error:
            raise failure(error) from None

    async def change(self, operation: str, command: Command) -> Any:
        """Send one write. Raises `OutcomeUnknown` if it was sent and its answer is lost."""
        sent = False

        async def write(line: _Line) -> Any:
            nonlocal sent
            if not line.fit:
                await inspect(line.wire)
                line.fit = True
            sent = True
            try:
                return (await exchange(line.wire, [command]))[0]
            except ELSEWHERE:
                sent = False  # and refused: nothing was changed
                raise

        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._use(write, proven=True)
        except FAILURES as error:
            answered = refusal(error)
            if sent and answered is None:
                raise lost(operation) from None
            raise (answered or failure(error)) from None

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for line in idle:
            await line.wire.disconnect(nowait=True)

    async def _use(self, work: Callable[[_Line], Awaitable[T]], *, proven: bool = False) -> T:
        """Return what `work` makes of a connection. Where the server says that another one serves
        now, that is looked for, once."""
        if self._source.seeks:
            with suppress(*ELSEWHERE):
                async with self._line(proven) as line:
                    return await work(line)
        async with self._line(proven) as line:
            return await work(line)

    @asynccontextmanager
    async def _line(self, proven: bool) -> AsyncIterator[_Line]:
        async with self._slots:
            line = await self._ready(proven)
            try:
                yield line
            except ELSEWHERE:
                await line.wire.disconnect(nowait=True)
                await self.close()  # the idle ones lead to the same server
                raise
            except redis_errors.ResponseError:
                self._idle.append(line)
                raise
            except BaseException:
                await line.wire.disconnect(nowait=True)
                raise
            self._idle.append(line)

    async def _ready(self, proven: bool) -> _Line:
        """Return a connection: a `proven` one answered just now, since whatever is lost after a
        write was sent leaves its outcome unknown."""
        while self._idle:
            line = self._idle.pop()
            if await line.is_open() and (not proven or await line.answers()):
                return line
            await line.wire.disconnect(nowait=True)
        wire = self._source.make()
        try:
            await opened(wire)
        except BaseException:
            await wire.disconnect(nowait=True)
            raise
        return _Line(wire)


async def opened(wire: Wire) -> None:
    """Connect `wire`. Raises one of `FAILURES`, or what stands in the way of logging in."""
    with sense():
        await wire.connect()


async def exchange(wire: Wire, commands: Sequence[Command]) -> list[Any]:
    """Send all commands at once; return their answers, or raise the first that is an error."""
    await wire.send_packed_command(wire.pack_commands(commands), check_health=False)
    answers: list[Any] = []
    refused: redis_errors.ResponseError | None = None
    for _ in commands:
        try:
            answers.append(await received(wire))
        except redis_errors.ResponseError as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return answers


async def received(wire: Wire, *, push: bool = False) -> Any:
    """Return the next answer; with `push`, or the next message, and with the connection kept open
    where this is cancelled. Raises one of `FAILURES`."""
    with sense():
        return await wire.read_response(push_request=push, disconnect_on_error=not push)


async def inspect(wire: Wire) -> bool:
    """Refuse a server that is not fit, as `refuse_unfit` does. Returns whether it could be asked:
    where that is not allowed, or not implemented, the operator has to know."""
    try:
        (text,) = await exchange(wire, [("INFO",)])
    except redis_errors.ResponseError:
        return False
    refuse_unfit(parse_info(text))
    return True


@contextmanager
def sense() -> Iterator[None]:
    """Translate what code does, redis-py's own as well, when an answer makes no sense to it."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError):
        raise redis_errors.InvalidResponse from None

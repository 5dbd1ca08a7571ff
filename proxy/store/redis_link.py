"""Connections to Redis, used one command at a time, with every wait bounded.

Strategy: redis-py's clients retry writes ten times and wait for minutes. So its connections are
used without its clients: one attempt, our own deadline, and at each failure we know whether the
command had been sent. Its errors never travel further: an old server answers a refused login with
the password in the message.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from redis import exceptions as redis_errors

from proxy.errors import OutcomeUnknown, ProxyError, StoreUnavailable, StoreUnsafe

DEADLINE_S = 2.0
# A proxy has little to say to its store; a command line even less.
MAX_CONNECTIONS = 4

# What one use of a connection can fail with; TimeoutError is our own deadline.
FAILURES = (TimeoutError, OSError, redis_errors.RedisError)

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
    address, without credentials; `release` frees what `make` holds."""

    make: Callable[[], Wire]
    where: str
    release: Callable[[], Awaitable[None]] | None = None


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
            await self.exchange([("PING",)])
        except FAILURES:
            return False
        return True

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send all commands at once; return their answers, or raise the first that is an error."""
        await self.wire.send_packed_command(self.wire.pack_commands(commands), check_health=False)
        answers: list[Any] = []
        refused: redis_errors.ResponseError | None = None
        for _ in commands:
            try:
                answers.append(await self.wire.read_response())
            except redis_errors.ResponseError as error:
                refused = refused or error
        if refused is not None:
            raise refused
        return answers


class Link:
    """The way to one Redis, over a few connections that are kept."""

    def __init__(self, source: Source, *, deadline_s: float = DEADLINE_S) -> None:
        self._source = source
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._idle: list[_Line] = []

    async def ask(self, *commands: Command) -> list[Any]:
        """Return the answers to `commands`, which change nothing or may well happen twice."""
        try:
            async with asyncio.timeout(self._deadline_s), self._line() as line:
                return await line.exchange(commands)
        except FAILURES as error:
            raise failure(error) from None

    async def change(self, operation: str, command: Command) -> Any:
        """Send one write. Raises `OutcomeUnknown` if it was sent and its answer is lost."""
        sent = False
        try:
            async with asyncio.timeout(self._deadline_s), self._line(proven=True) as line:
                if not line.fit:
                    await _check_fit(line)
                sent = True
                return (await line.exchange([command]))[0]
        except FAILURES as error:
            answered = refusal(error)
            if sent and answered is None:
                raise _lost(operation) from None
            raise (answered or failure(error)) from None

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for line in idle:
            await line.wire.disconnect(nowait=True)
        if self._source.release is not None:
            await self._source.release()

    @asynccontextmanager
    async def _line(self, *, proven: bool = False) -> AsyncIterator[_Line]:
        async with self._slots:
            line = await self._ready(proven)
            try:
                yield line
            except redis_errors.ReadOnlyError:  # another server is the primary now
                await line.wire.disconnect(nowait=True)
                raise
            except (redis_errors.ResponseError, ProxyError):
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
            await wire.connect()
        except BaseException:
            await wire.disconnect(nowait=True)
            raise
        return _Line(wire)


async def _check_fit(line: _Line) -> None:
    """Refuse a server that would drop versions or lose writes; once for each connection."""
    try:
        (text,) = await line.exchange([("INFO",)])
    except redis_errors.ResponseError:
        text = b""  # not allowed to ask, or not implemented: the operator has to know
    found = parse_info(text)
    if found.get("maxmemory_policy", "").startswith("allkeys-"):
        raise StoreUnsafe(
            "the store's server may evict versions and pins when its memory is full",
            hint="set maxmemory-policy to noeviction or one of volatile-*",
        )
    if found.get("role") == "slave":
        raise _unavailable("READONLY")
    line.fit = True


def parse_info(text: bytes) -> dict[str, str]:
    """Read the answer to INFO: lines of `name:value`."""
    lines = bytes(text).decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


# What servers answer, and what TLS says, by the code in it. A script passes on what one of its
# commands was answered, and old servers put text of their own before it.
_ANSWERS = {
    "READONLY": ("the store's server is a read-only replica", "name the primary"),
    "OOM": ("the store's server is out of memory", "raise its maxmemory"),
    "NOREPLICAS": (
        "the store's server has too few replicas to accept writes",
        "bring replicas back, or lower min-replicas-to-write",
    ),
    "MISCONF": ("the store's server cannot write to its disk", "look at its log and its disk"),
    "LOADING": ("the store's server is still loading its data", "wait until it is ready"),
    "BUSY": ("the store's server is busy with a script", "look at its log"),
    "MASTERDOWN": ("the store's server lost its primary", "name the primary"),
    "CLUSTERDOWN": ("the store's cluster is down", ""),
    "MOVED": ("the store's server is one node of a cluster", "name a server of its own"),
    "CROSSSLOT": ("the store's server is one node of a cluster", "name a server of its own"),
    "NOAUTH": ("the store asks for a password", "put user and password into the store's URL"),
    "WRONGPASS": ("the store refused the user or password", "correct them in the store's URL"),
    "NOPERM": ("the store's user lacks a permission", "ACL LOG on the server says which"),
    "CERTIFICATE_VERIFY_FAILED": (
        "the store's server has a certificate that is not trusted",
        "name its authority with ?ssl_ca_certs= in the store's URL",
    ),
    "max number of clients": ("the store's server has no connection left", "raise its maxclients"),
}
_ANSWER = re.compile(rf"\b({'|'.join(_ANSWERS)})\b")


def refusal(error: Exception) -> ProxyError | None:
    """Say what the server answered; None if the failure is not an answer of its own."""
    text = f"{getattr(error, 'status_code', '') or ''} {error}"
    if "WRONGTYPE" in text:
        return foreign()
    if match := _ANSWER.search(text):
        return _unavailable(match[1])
    if isinstance(error, redis_errors.AuthenticationError):
        return _unavailable("WRONGPASS")
    if isinstance(error.__context__, redis_errors.ReadOnlyError):
        return _unavailable("READONLY")  # what redis-py makes of it behind a sentinel
    if isinstance(error, redis_errors.ResponseError):
        return StoreUnsafe("the store's server refused a command", hint="is it Redis 6.2 or newer?")
    return None


def failure(error: Exception) -> ProxyError:
    """Say why something that changes nothing did not work."""
    if isinstance(error, TimeoutError | redis_errors.TimeoutError):
        return StoreUnavailable("the store did not answer in time")
    return refusal(error) or StoreUnavailable(hint="is it running, and is its URL right?")


def foreign() -> StoreUnsafe:
    return StoreUnsafe(
        "a key of the store holds something that is not ours",
        hint="another program uses the same names; choose another namespace",
    )


def _unavailable(code: str) -> StoreUnavailable:
    message, hint = _ANSWERS[code]
    return StoreUnavailable(message, hint=hint)


def _lost(operation: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        "the store's answer was lost: all of the change was made, or nothing",
        operation=operation,
        hint=f"run it again with --op-id {operation}",
    )

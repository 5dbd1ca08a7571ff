"""Watch the pins in Redis over one connection.

Strategy: a published message is a hint to read, never the news itself; it may be lost, doubled or
late. Reading answers on the same connection, after the subscription was confirmed, so no change
falls between. A poll finds what was written by hand, and is the heartbeat: several polls without
any byte in return mean that the server is gone, even where the kernel still holds the connection.

redis-py's own PubSub is not used. When the kernel reports a dead socket it takes that for "no
message" and spins, and its reconnection hides that messages were lost.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store import question_text
from proxy.store.pin_text import assemble
from proxy.store.redis_answers import FAILURES, failure
from proxy.store.redis_fit import parse_info, refuse_unfit
from proxy.store.redis_keys import Keys, listed
from proxy.store.redis_link import Command, Wire, inspect, opened, received, sense
from proxy.versions.record import PinKey, Pins, Question

POLL_S = 0.25
_JITTER = 0.2  # as a share: a fleet that started together does not ask together
# Polls without any byte in return after which the server is gone: a second, at POLL_S. Counted,
# not timed, so that a busy event loop of ours is not taken for a dead server.
_SILENT_POLLS = 4
# A server that was made a replica, or to evict, by hand is noticed within two seconds, at POLL_S.
_POLLS_A_LOOK = 8
_CONNECT_S = 2.0
# A read with the list of pins, one without, and that with a look at the server.
_READS_KEPT = 3


class Reading:
    """What to ask for next, and what the answers mean; without any I/O.

    One read is under way at a time, and one more is remembered. A read asks for the texts of all
    pins it knows of, and, if a change is likely, then for the list of pins. When the list names
    none that was not asked for, the texts were all there was when they were read. What the fleet is
    asked comes with the texts.
    """

    def __init__(self, keys: Keys, held: Collection[PinKey]) -> None:
        self._keys = keys
        self._held = held
        self._listed: frozenset[PinKey] = frozenset()
        self._listed_at: bytes | None = None
        self._asked: list[PinKey] = []
        self._texts: list[bytes | None] | None = None
        self._awaited = 0
        self._listing = False
        self._again = False
        self._last: tuple[object, bytes | None, Pins] | None = None
        self._decoded: tuple[bytes | None, tuple[Question, ...]] = (None, ())

    def start(self) -> list[Command]:
        """Return the commands of a read after a hint, or none if a read is under way."""
        if self._awaited:
            self._again = True
            return []
        return self._ask(listing=True)

    def poll(self) -> list[Command]:
        """Return the commands of a cheap read, or none if a read is under way."""
        return [] if self._awaited else self._ask(listing=False)

    def take(self, answer: Any) -> tuple[list[Command], Pins | None]:
        """Take the next answer. Returns what to send now, and the pins if the read is complete.

        Raises `StoreUnavailable` if nothing was asked: the connection is out of step.
        """
        if not self._awaited:
            raise StoreUnavailable("the store answered what was not asked")
        self._awaited -= 1
        if self._texts is None:
            self._texts = list(answer)
        else:
            self._listed, self._listed_at = listed(answer), self._texts[0]
        if self._awaited:
            return [], None
        if not self._listing and self._texts[0] != self._listed_at:
            return self._ask(listing=True), None
        if not self._listed.issubset(self._asked):
            return self._ask(listing=True), None
        again, self._again = self._again, False
        pins = self._pins(self._texts)
        return (self._ask(listing=True) if again else []), pins

    def _ask(self, *, listing: bool) -> list[Command]:
        self._asked = sorted(self._listed.union(self._held))
        self._texts = None
        self._listing = listing
        first = (self._keys.epoch, self._keys.questions)
        texts: Command = ["MGET", *first, *map(self._keys.pin, self._asked)]
        commands = [texts, ["SMEMBERS", self._keys.pinned]] if listing else [texts]
        self._awaited = len(commands)
        return commands

    def _pins(self, texts: list[bytes | None]) -> Pins:
        """Make the pins, or return the last ones where nothing changed: that is the usual case."""
        epoch, questions, *found = texts
        asked = (self._asked, epoch, found)
        if self._last is not None and self._last[:2] == (asked, questions):
            return self._last[2]
        if self._last is not None and self._last[0] == asked:
            pins = self._last[2]
        else:
            pins = assemble(epoch, dict(zip(self._asked, found, strict=True)), self._listed)
        if questions != self._decoded[0]:
            self._decoded = (questions, question_text.decode(questions))
        pins = replace(pins, questions=self._decoded[1])
        self._last = (asked, questions, pins)
        return pins


async def watch(
    make: Callable[[], Wire], keys: Keys, held: Collection[PinKey], *, poll_s: float = POLL_S
) -> AsyncGenerator[Pins, None]:
    """Yield the pins as `base.Store.watch` promises, until the connection is lost."""
    wire = make()
    try:
        async with asyncio.timeout(_CONNECT_S):
            await opened(wire)
            asks = await inspect(wire)
        said = _Said(wire)
        await said.send([["SUBSCRIBE", keys.changes]])
        reading = Reading(keys, held)
        looks, channel = _Looks(asks), keys.changes.encode()
        async with aclosing(_follow(said, reading, looks, channel, poll_s)) as followed:
            async for pins in followed:
                yield pins
    except StoreUnsafe as error:
        raise StoreUnavailable(error.message, hint=error.hint) from None
    except FAILURES as error:
        raise _gone(failure(error)) from None
    finally:
        await wire.disconnect(nowait=True)


class _Looks:
    """Asks now and then, before a read, whether the server is fit still."""

    def __init__(self, allowed: bool) -> None:
        self._allowed = allowed
        self._polls = 0
        self._awaited = False

    def before(self, read: list[Command]) -> list[Command]:
        """Return the commands of `read`, after the question if it is time for one."""
        self._polls += 1
        if not (self._allowed and read and self._polls >= _POLLS_A_LOOK):
            return read
        self._polls, self._awaited = 0, True
        return [("INFO",), *read]

    def took(self, answer: Any) -> bool:
        """Say whether it was the answer to the question. Raises as `refuse_unfit`."""
        if not self._awaited:
            return False
        self._awaited = False
        refuse_unfit(parse_info(answer))
        return True


class _Said:
    """What is sent on the watch's connection. Nearly always it is one of two or three reads, which
    are long where there are many pins: their bytes are kept."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._packed: list[tuple[list[Command], list[bytes]]] = []

    async def send(self, commands: list[Command]) -> None:
        """Send `commands`, on the connection as it is: a new one would lack the subscription."""
        if not self.wire.is_connected:
            raise StoreUnavailable()
        if commands:
            async with asyncio.timeout(_CONNECT_S):
                await self.wire.send_packed_command(self._bytes(commands), check_health=False)

    def _bytes(self, commands: list[Command]) -> list[bytes]:
        for known, packed in self._packed:
            if known == commands:
                return packed
        packed = self.wire.pack_commands(commands)
        self._packed = [(commands, packed), *self._packed[: _READS_KEPT - 1]]
        return packed


async def _follow(
    said: _Said, reading: Reading, looks: _Looks, channel: bytes, poll_s: float
) -> AsyncGenerator[Pins, None]:
    clock = asyncio.get_running_loop().time
    due_s, silent = clock() + poll_s, 0
    while True:
        try:
            async with asyncio.timeout_at(due_s):
                frame = await received(said.wire, push=True)
        except TimeoutError:
            silent += 1
            if silent > _SILENT_POLLS:
                raise StoreUnavailable("the store fell silent") from None
            due_s = clock() + poll_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
            await said.send(looks.before(reading.poll()))
            continue
        silent = 0
        if _is_push(frame, channel):
            await said.send(reading.start())
            continue
        if looks.took(frame):
            continue
        with sense():
            commands, pins = reading.take(frame)
        await said.send(commands)
        if pins is not None:
            yield pins


def _is_push(frame: Any, channel: bytes) -> bool:
    """Tell a message, or the subscription's confirmation, from an answer to a command."""
    return (
        isinstance(frame, list)
        and len(frame) == 3
        and frame[0] in (b"message", b"subscribe")
        and frame[1] == channel
    )


def _gone(error: Exception) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    assert isinstance(error, StoreUnsafe)
    return StoreUnavailable(error.message, hint=error.hint)

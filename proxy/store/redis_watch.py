"""Watch the pins in Redis over one connection.

Strategy: a published message is a hint to read, never the news itself; it may be lost, doubled or
late. Reading answers on the same connection, after the subscription was confirmed, so no change
falls between. A poll finds what was written by hand, and is the heartbeat: several polls without
any byte in return mean that the server is gone, even where the kernel still holds the connection.

What is read is asked for as soon as it is known to be needed, without waking whoever follows: that
one is woken by the pins.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from typing import Any

from hiredis import PushNotification

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store import former_text, question_text
from proxy.store.pin_text import assemble
from proxy.store.redis_answers import FAILURES, Nonsense, failure
from proxy.store.redis_fit import parse_info, refuse_unfit
from proxy.store.redis_keys import Keys, listed
from proxy.store.redis_link import inspect
from proxy.store.redis_wire import Command, Wire, pack
from proxy.versions.record import Former, PinKey, Pins, Question

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
    asked comes with the texts, what labels held before with the list: a swap changes it, and it may
    be read later than the pins, since what was revoked meanwhile is no longer in it.
    """

    def __init__(self, keys: Keys, held: Collection[PinKey]) -> None:
        self._keys = keys
        self._held = held
        self._listed: frozenset[PinKey] = frozenset()
        self._listed_at: bytes | None = None
        self._asked: list[PinKey] = []
        self._named: tuple[Any, frozenset[PinKey]] = (None, frozenset())
        self._reads: tuple[list[Command], list[Command]] = ([], [])
        self._texts: list[bytes | None] | None = None
        self._awaited = 0
        self._listing = False
        self._again = False
        self._last: tuple[object, object, Pins] | None = None
        self._decoded: tuple[bytes | None, tuple[Question, ...]] = (None, ())
        self._former: tuple[bytes | None, tuple[Former, ...]] = (None, ())

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
        elif self._awaited:
            self._listed, self._listed_at = self._names(answer), self._texts[0]
        elif answer != self._former[0]:
            self._former = (answer, former_text.decode(answer, self._former[1]))
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
        asked = sorted(self._listed.union(self._held))
        if asked != self._asked or not self._reads[0]:
            self._asked, self._reads = asked, self._made(asked)
        self._texts = None
        self._listing = listing
        commands = self._reads[listing]
        self._awaited = len(commands)
        return commands

    def _made(self, asked: list[PinKey]) -> tuple[list[Command], list[Command]]:
        """Return the commands of a read without the list of pins, and with it and what follows."""
        first = (self._keys.epoch, self._keys.questions)
        texts: Command = ["MGET", *first, *map(self._keys.pin, asked)]
        return [texts], [texts, ["SMEMBERS", self._keys.pinned], ["GET", self._keys.former]]

    def _names(self, answer: Any) -> frozenset[PinKey]:
        """Read the list of pins, or return the last one where it did not change."""
        if answer != self._named[0]:
            self._named = (answer, listed(answer))
        return self._named[1]

    def _pins(self, texts: list[bytes | None]) -> Pins:
        """Make the pins, or return the last ones where nothing changed: that is the usual case."""
        epoch, questions, *found = texts
        asked, beside = (self._asked, epoch, found), (questions, self._former[0])
        if self._last is not None and self._last[:2] == (asked, beside):
            return self._last[2]
        if self._last is not None and self._last[0] == asked:
            pins = self._last[2]
        else:
            pins = assemble(epoch, dict(zip(self._asked, found, strict=True)), self._listed)
        if questions != self._decoded[0]:
            self._decoded = (questions, question_text.decode(questions))
        pins = Pins(pins.epoch, pins.pins, pins.broken, self._decoded[1], self._former[1])
        self._last = (asked, beside, pins)
        return pins


async def watch(
    make: Callable[[], Awaitable[Wire]],
    keys: Keys,
    held: Collection[PinKey],
    *,
    poll_s: float = POLL_S,
) -> AsyncGenerator[Pins, None]:
    """Yield the pins as `base.Store.watch` promises, until the connection is lost."""
    wire: Wire | None = None
    watcher: _Watcher | None = None
    try:
        async with asyncio.timeout(_CONNECT_S) as limit:
            wire = await make()
            asks = await inspect(wire, limit.when() or 0.0)
        watcher = _Watcher(wire, keys, Reading(keys, held), _Looks(asks), poll_s)
        while True:
            yield await watcher.news()
    except StoreUnsafe as error:
        raise StoreUnavailable(error.message, hint=error.hint) from None
    except FAILURES as error:
        raise _gone(failure(error)) from None
    finally:
        if watcher is not None:
            watcher.stop()
        if wire is not None:
            wire.close()


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


class _Watcher:
    """Hears the answers on the watch's connection, and asks on. `stop` has to be called."""

    def __init__(
        self, wire: Wire, keys: Keys, reading: Reading, looks: _Looks, poll_s: float
    ) -> None:
        self._wire = wire
        self._reading = reading
        self._looks = looks
        self._channel = keys.changes.encode()
        self._poll_s = poll_s
        self._loop = asyncio.get_running_loop()
        self._silent = 0
        self._pins: Pins | None = None
        self._error: Exception | None = None
        self._awaited: asyncio.Future[None] | None = None
        # Nearly always one of two or three reads, which are long where there are many pins.
        self._packed: list[tuple[list[Command], bytes]] = []
        self._timer = self._loop.call_later(poll_s, self._poll)
        wire.hear(self)
        wire.send(pack([("SUBSCRIBE", keys.changes)]))

    async def news(self) -> Pins:
        """Wait for the next pins that were read whole. Raises why there are none any more."""
        if self._pins is None and self._error is None:
            self._awaited = self._loop.create_future()
            try:
                await self._awaited
            finally:
                self._awaited = None
        pins, self._pins = self._pins, None
        if pins is None:
            raise self._error or StoreUnavailable()
        return pins

    def stop(self) -> None:
        self._timer.cancel()

    def heard(self, frame: Any) -> None:
        if _is_push(frame, self._channel):
            self._silent = 0
            self._send(self._reading.start())
            return
        if isinstance(frame, PushNotification):
            return  # of a kind that nobody asked for
        self._silent = 0
        if isinstance(frame, Exception):
            raise frame
        if not self._looks.took(frame):
            self._take(frame)

    def ended(self, error: Exception) -> None:
        self._error = error
        self._wake()

    def _take(self, frame: Any) -> None:
        try:
            commands, pins = self._reading.take(frame)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise Nonsense from None
        self._send(commands)
        if pins is not None:
            self._pins = pins
            self._wake()

    def _poll(self) -> None:
        """Read, if somebody waits for news: who is busy with the last is not told that the store
        fell silent meanwhile."""
        pause_s = self._poll_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        self._timer = self._loop.call_later(pause_s, self._poll)
        if self._awaited is None:
            return
        self._silent += 1
        if self._silent > _SILENT_POLLS:
            self.ended(StoreUnavailable("the store fell silent"))
        else:
            self._send(self._looks.before(self._reading.poll()))

    def _send(self, commands: list[Command]) -> None:
        if commands:
            self._wire.send(self._bytes(commands))

    def _bytes(self, commands: list[Command]) -> bytes:
        for known, packed in self._packed:
            if known is commands:
                return packed
        packed = pack(commands)
        self._packed = [(commands, packed), *self._packed[: _READS_KEPT - 1]]
        return packed

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)


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

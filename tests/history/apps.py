"""Apps: each asks one proxy without a pause worth speaking of, and writes down what it got."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from tests.history.body import asking
from tests.history.record import Asked, Recorder
from tests.raw_client import RawAnswer, RawApp, request

# A frozen proxy answers when it thaws, and a machine may be busy: this is for what never comes.
PATIENCE_S = 30.0

# What a connection can fail with. An assertion of the client is about framing: no excuse for that.
BROKEN = (ConnectionError, asyncio.IncompleteReadError, TimeoutError, OSError)


@dataclass
class Apps:
    """What all apps share. `names` gives each request a name of its own."""

    record: Recorder
    addresses: dict[str, tuple[str, int]]
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def ask(self, proxy: str, model: str, *, stream: bool = False) -> Asked:
        """Ask on a connection of its own. `model` is a key, or an explicit version."""
        caller = Caller(self, proxy)
        try:
            return await caller.ask(model, stream=stream)
        finally:
            caller.leave()

    async def keep_asking(
        self, proxy: str, keys: tuple[str, ...], pause_s: float, stream: bool, seed: int
    ) -> None:
        """Ask until cancelled, pausing for up to `pause_s`."""
        dice = random.Random(seed)
        caller = Caller(self, proxy)
        try:
            while True:
                asked = await caller.ask(dice.choice(keys), stream=stream)
                # Nobody listens where a process is gone: there is no point in spinning.
                least_s = 0.02 if asked.status == 0 else 0.0
                await asyncio.sleep(max(least_s, dice.uniform(0, pause_s)))
        finally:
            caller.leave()


class _App(RawApp):
    async def whole_answer(self) -> RawAnswer:
        """Do as `answer`, but wait for as long as it takes."""
        return await self._answer(to_head=False)

    @property
    def is_over(self) -> bool:
        """Whether the proxy is known to have closed the connection, or to have gone."""
        return self._reader.at_eof() or self._writer.is_closing()


class Caller:
    """One app's connection to a proxy, opened again when it broke."""

    def __init__(self, apps: Apps, proxy: str) -> None:
        self._apps = apps
        self._proxy = proxy
        self._app: _App | None = None

    async def ask(self, model: str, *, stream: bool = False) -> Asked:
        """Send one request and write down what became of it."""
        record = self._apps.record
        name = f"ask-{next(self._apps.names):07d}"
        what = {"key": model} if "@" in model else {"wanted": model}
        fact = Asked(name, self._proxy, record.now(), 0.0, stream=stream, **what)
        try:
            answer = await self._exchange(name, model, stream)
        except BROKEN as error:
            self.leave()
            fact = replace(fact, error=type(error).__name__)
        else:
            fact = told(fact, answer)
            if answer.ending != "tidy" or answer.header("connection") == "close":
                self.leave()
        fact = replace(fact, ended_s=record.now())
        record.add(fact)
        return fact

    def leave(self) -> None:
        if self._app is not None:
            self._app.vanish()
            self._app = None

    async def _exchange(self, name: str, model: str, stream: bool) -> RawAnswer:
        if self._app is not None and self._app.is_over:
            self.leave()
        async with asyncio.timeout(PATIENCE_S):
            if self._app is None:
                self._app = await _App.connect(self._apps.addresses[self._proxy])
            body = asking(model.removesuffix("@prod"), name, stream=stream)
            await self._app.send(request(body, headers=(("x-request-id", name),)))
            return await self._app.whole_answer()


def told(fact: Asked, answer: RawAnswer) -> Asked:
    """Return `fact` with what `answer` says."""
    fact = replace(
        fact,
        status=answer.status,
        code=answer.header("x-proxy-error") or "",
        version=answer.header("x-proxy-version") or "",
        digest=answer.header("x-proxy-digest") or "",
        error="" if answer.ending == "tidy" else answer.ending,
    )
    if answer.status != 200 or answer.ending != "tidy":
        return fact
    try:
        return replace(fact, **json.loads(text_of(answer.body)))
    except (ValueError, KeyError, TypeError, IndexError):
        return replace(fact, error="unreadable")


def text_of(body: bytes) -> str:
    """Return the text of an answer, whole or streamed; a stream has to have its end marker."""
    if not body.startswith(b"data: "):
        return json.loads(body)["choices"][0]["message"]["content"]
    *events, done, rest = body.decode().split("\n\n")
    if (done, rest) != ("data: [DONE]", ""):
        raise ValueError("half a stream")
    deltas = (json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events)
    return "".join(delta["content"] for delta in deltas)

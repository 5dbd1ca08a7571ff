"""Whatever may go wrong with the store and with proxies, one thing after the other, on two tracks
at once: so a proxy is killed while the store is frozen, and started while it is away."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from proxy.store.redis_keys import Keys
from tests.history import schedule
from tests.history.apps import Apps
from tests.history.operators import KEYS, Operator, Shelf
from tests.history.processes import NAMESPACE, ProxyPlace
from tests.history.record import ByHand, Fault, Recorder, Tampered
from tests.history.schedule import Step
from tests.redis_server import RedisServer

# A pin by hand lies so far above the epoch that no swap gets there while it is being written.
FAR_ABOVE = 1000

# There are some switches a second.
SWITCH_WITHIN_S = 1.0

KEY_NAMES = Keys(NAMESPACE)


class Nemesis:
    def __init__(
        self,
        server: RedisServer,
        places: list[ProxyPlace],
        record: Recorder,
        shelf: Shelf,
        apps: Apps,
        operator: Operator,
        dice: random.Random,
    ) -> None:
        self._server = server
        self._places = {place.name: place for place in places}
        self._record = record
        self._shelf = shelf
        self._apps = apps
        self._operator = operator
        self._dice = dice
        self.acts: dict[str, Callable[[Step], Awaitable[None]]] = {
            schedule.FREEZE_STORE: self._freeze_store,
            schedule.KILL_STORE: self._kill_store,
            schedule.CUT: self._cut,
            schedule.STRAY: self._stray,
            schedule.GARBAGE: self._garbage,
            schedule.BY_HAND: self._by_hand,
            schedule.TAMPER: self._tamper,
            schedule.PIN_TAMPERED: self._pin_tampered,
            schedule.COLD_START: self._cold_start,
            schedule.KILL_PROXY: self._kill_proxy,
            schedule.STOP_PROXY: self._stop_proxy,
            schedule.FREEZE_PROXY: self._freeze_proxy,
        }

    async def rage(self, steps: Iterator[Step], until_s: float, at_least: int) -> None:
        """Carry out `steps` until then, and so many in any case; whatever was begun is healed."""
        for count, step in enumerate(steps):
            if count >= at_least and self._record.now() > until_s:
                return
            await asyncio.sleep(step.pause_s)
            await self.acts[step.kind](step)

    @asynccontextmanager
    async def _noted(self, step: Step, target: str) -> AsyncIterator[None]:
        started_s = self._record.now()
        yield
        self._record.add(Fault(step.kind, target, started_s, self._record.now()))

    # --- the store's process and connections

    async def _freeze_store(self, step: Step) -> None:
        async with self._noted(step, "store"):
            self._server.freeze()
            await asyncio.sleep(step.lasts_s)
            self._server.thaw()

    async def _kill_store(self, step: Step) -> None:
        async with self._noted(step, "store"):
            self._server.stop()
            await asyncio.sleep(step.lasts_s)
            await asyncio.to_thread(self._server.start)

    async def _cut(self, step: Step) -> None:
        async with self._noted(step, "store"):
            for kind in ("normal", "pubsub"):
                await self._tell("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    # --- what is in the store

    async def _stray(self, step: Step) -> None:
        """Pin a version that does not exist, well formed and above the epoch."""
        digest = f"sha256:{hashlib.sha256(self._dice.randbytes(8)).hexdigest()}"
        key = self._dice.choice(KEYS)
        id = f"{key.partition('@')[0]}-v900000-{digest[7:13]}"
        async with self._noted(step, key):
            epoch = await self._epoch() + FAR_ABOVE
            await self._write(key, epoch, id, digest, registered=False, spoils=True)
            await self._ask_all(step, id)

    async def _garbage(self, step: Step) -> None:
        key = self._dice.choice(KEYS)
        async with self._noted(step, key):
            started_s = self._record.now()
            text = self._dice.choice(("", "v7", "1|2|3", "9" * 5000, "\x00\xff|a|b|c"))
            await self._tell("SET", _pin(key), text)
            ended_s = self._record.now()
            fact = ByHand(key, 0, "", False, True, started_s, ended_s)
            self._record.add(fact)
            await asyncio.sleep(step.lasts_s)

    async def _by_hand(self, step: Step) -> None:
        """Pin a registered version past the script: proxies follow it."""
        key = self._dice.choice(KEYS)
        async with self._noted(step, key):
            id = self._dice.choice(self._shelf.ids[key.partition("@")[0]])
            digest = self._shelf.digests[id]
            epoch = await self._epoch() + FAR_ABOVE
            await self._write(key, epoch, id, digest, registered=True, spoils=False)
            await asyncio.sleep(step.lasts_s)

    async def _tamper(self, step: Step) -> None:
        """Change a version's bytes, pin it by hand, and put the bytes back after a while."""
        key = self._dice.choice(KEYS)
        async with self._noted(step, key), self._tampered(key) as (id, digest):
            epoch = await self._epoch() + FAR_ABOVE
            await self._write(key, epoch, id, digest, registered=True, spoils=True)
            await self._ask_all(step, id)

    async def _pin_tampered(self, step: Step) -> None:
        """Change a version's bytes, pin it by the script, which does not look at them, put the
        bytes back, and ask who serves it. Meanwhile other labels are pinned."""
        key = self._dice.choice(KEYS)
        async with self._noted(step, key):
            async with self._tampered(key) as (id, digest):
                model, _, label = key.partition("@")
                order = self._operator.pinning([(model, id)], label)
                await self._operator.swap(order, digest)
                await self._ask_all(step, id)
            await self._operator.carry_out(order)

    @asynccontextmanager
    async def _tampered(self, key: str) -> AsyncIterator[tuple[str, str]]:
        """Register a version that no proxy has seen; its bytes are wrong until the block ends."""
        model = key.partition("@")[0]
        id, digest = await self._operator.register_new(model)
        number = id.removeprefix(f"{model}-v").partition("-")[0]
        table = KEY_NAMES.of_model("versions", model)
        content = await self._tell("HGET", table, number)
        started_s = self._record.now()
        await self._tell("HSET", table, number, content.replace(b"mark-", b"evil-"))
        try:
            yield id, digest
        finally:
            await self._tell("HSET", table, number, content)
            self._record.add(Tampered(id, started_s, self._record.now()))

    async def _ask_all(self, step: Step, version: str) -> None:
        """Ask every proxy for an explicit version that it must not serve as it is."""
        asking = [self._apps.ask(name, version) for name in self._places]
        await asyncio.gather(*asking, asyncio.sleep(step.lasts_s))

    async def _epoch(self) -> int:
        """Return an epoch that no pin is above."""
        texts = await self._tell("MGET", KEY_NAMES.epoch, *map(_pin, KEYS))
        epochs = [text.split(b"|")[0] for text in texts if text]
        return max(int(epoch) for epoch in epochs if epoch.isdigit() and len(epoch) < 16)

    async def _write(
        self, key: str, epoch: int, id: str, digest: str, *, registered: bool, spoils: bool
    ) -> None:
        started_s = self._record.now()
        await self._tell("SET", _pin(key), f"{epoch}|{id}|{digest}|by-hand")
        self._record.add(ByHand(key, epoch, id, registered, spoils, started_s, self._record.now()))

    async def _tell(self, *command: str | bytes | int) -> Any:
        return await asyncio.to_thread(self._server.run, *command)

    # --- proxies

    async def _kill_proxy(self, step: Step) -> None:
        place = self._places[step.target]
        async with place.lock:
            await self._next_switch()
            async with self._noted(step, place.name):
                await place.kill()
                await asyncio.sleep(step.lasts_s)
                await place.start()

    async def _stop_proxy(self, step: Step) -> None:
        place = self._places[step.target]
        async with place.lock, self._noted(step, place.name):
            await place.stop()
            await asyncio.sleep(step.lasts_s)
            await place.start()

    async def _freeze_proxy(self, step: Step) -> None:
        place = self._places[step.target]
        async with place.lock, self._noted(step, place.name):
            place.freeze()
            await asyncio.sleep(step.lasts_s)
            place.thaw()

    async def _cold_start(self, step: Step) -> None:
        """Kill a proxy and the store, and start the proxy first."""
        place = self._places[step.target]
        async with place.lock:
            await self._next_switch()
            async with self._noted(step, place.name):
                await place.kill()
                self._server.stop()
                await place.start()
                await asyncio.sleep(step.lasts_s)
                await asyncio.to_thread(self._server.start)

    async def _next_switch(self) -> None:
        """Wait for proxies to confirm something, for a moment: what they saved may be behind."""
        self._shelf.confirmed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SWITCH_WITHIN_S):
                await self._shelf.confirmed.wait()


def _pin(key: str) -> str:
    model, _, label = key.partition("@")
    return KEY_NAMES.pin((model, label))

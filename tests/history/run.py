"""One run: a store, proxies, apps, operators and a nemesis; then everything is healed, and what is
left is written down."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.store.base import Store
from proxy.store.url import open_store
from proxy.versions.record import PIN_KINDS
from tests.history import schedule
from tests.history.apps import Apps
from tests.history.body import mark_of
from tests.history.hands import ByCommand, InProcess
from tests.history.nemesis import KEY_NAMES, Nemesis
from tests.history.operators import KEYS, Operator, Shelf
from tests.history.processes import NAMESPACE, ProxyPlace, quiet_port
from tests.history.record import Counted, Kept, Noted, Recorder, Settled
from tests.history.vendor import MirrorVendor
from tests.redis_server import RedisServer

PROXIES = ("web-1", "web-2", "web-3", "web-4")
MODELS = ("flip", "flop")

# Two apps a proxy, one of them with streams, at some fifty requests a second each: enough to meet
# every switch, on a machine that runs all of this on two processors.
APP_PAUSE_S = 0.04
OPERATOR_PAUSE_S = 0.3
OPERATORS = 3

# Whoever is still behind so long after everything is well is not catching up.
SETTLES_WITHIN_S = 30.0
ASK_AGAIN_S = 0.02

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@dataclass
class Scene:
    """All that takes part. `seed` draws what operators do and what goes wrong."""

    record: Recorder
    directory: Path
    server: RedisServer
    places: list[ProxyPlace]
    apps: Apps
    shelf: Shelf
    seed: int

    def store(self) -> Store:
        return open_store(self.server.url, namespace=NAMESPACE)

    def dice(self, whose: str) -> random.Random:
        return random.Random(f"{self.seed} {whose}")

    def operator(self, name: str, store: Store, *, commands: bool = False) -> Operator:
        """Return an operator who calls the use cases, or who runs commands."""
        folder = self.directory / name
        folder.mkdir()
        models = folder / "models"
        hand = ByCommand(self.server.url, folder) if commands else InProcess(store, models)
        dice = self.dice(name)
        return Operator(name, hand, store, models, self.record, self.shelf, self.apps, dice)


async def run(record: Recorder, directory: Path, seconds: float, seed: int) -> str:
    """Let everything happen for so long; return what proxies said on stderr."""
    async with scene(record, directory, seed) as made:
        await _begin(made)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(one) for one in _asking(made)]
            operating = [group.create_task(one) for one in _operating(made, over)]
            await _rage(made, seconds)
            over.set()
            await asyncio.gather(*operating)
            await _settle(made)
            for task in asking:
                task.cancel()
        await _write_down_the_store(made)
    return "".join(place.errors for place in made.places)


@asynccontextmanager
async def scene(record: Recorder, directory: Path, seed: int) -> AsyncIterator[Scene]:
    """Start the store and the vendor; end whatever runs when the block ends."""
    dice = random.Random(seed)
    server = RedisServer(directory / "redis", *DURABLE, port=quiet_port(dice))
    places = [ProxyPlace(record, directory / name, name, quiet_port(dice)) for name in PROXIES]
    apps = Apps(record, {place.name: place.address for place in places})
    server.start()
    try:
        async with MirrorVendor(seed) as vendor:
            for place in places:
                place.configure(server.url, vendor.url)
            try:
                yield Scene(record, directory, server, places, apps, Shelf(), seed)
            finally:
                await asyncio.gather(*(place.kill() for place in places))
    finally:
        server.stop()


async def _begin(made: Scene) -> None:
    """Register and pin something everywhere, and start the proxies: from now on, all serve."""
    async with _store(made) as store:
        first = made.operator("first", store)
        for model in (*MODELS, *MODELS, *MODELS):
            await first.register_new(model)
        for key in KEYS:
            model, _, label = key.partition("@")
            await first.carry_out(first.pinning([(model, made.shelf.ids[model][0])], label))
    await asyncio.gather(*(place.start() for place in made.places))
    give_up_s = made.record.now() + SETTLES_WITHIN_S
    while not all(place.has_saved for place in made.places):
        assert made.record.now() < give_up_s, "a proxy saves no last known good"
        await asyncio.sleep(ASK_AGAIN_S)


def _asking(made: Scene) -> list[Coroutine[Any, Any, None]]:
    asking = []
    for place in made.places:
        for stream in (False, True):
            seed = made.dice(f"{place.name} {stream}").randrange(2**32)
            asking.append(made.apps.keep_asking(place.name, KEYS, APP_PAUSE_S, stream, seed))
    return asking


def _operating(made: Scene, over: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    async def operate(name: str, *, commands: bool = False) -> None:
        async with _store(made) as store:
            operator = made.operator(name, store, commands=commands)
            await operator.keep_operating(over, OPERATOR_PAUSE_S)

    here = [operate(f"operator-{number}") for number in range(OPERATORS)]
    return [*here, operate("command", commands=True)]


async def _rage(made: Scene, seconds: float) -> None:
    until_s = made.record.now() + seconds
    kinds = (schedule.STORE_FAULTS, schedule.PROXY_FAULTS)
    async with _store(made) as store, asyncio.TaskGroup() as group:
        nemesis = Nemesis(
            made.server,
            made.places,
            made.record,
            made.shelf,
            made.apps,
            made.operator("nemesis", store),
            made.dice("nemesis"),
        )
        for number, each in enumerate(kinds):
            steps = schedule.steps(made.dice(f"steps {number}"), each, PROXIES)
            group.create_task(nemesis.rage(steps, until_s, at_least=len(each)))


async def _settle(made: Scene) -> None:
    """Pin every label once more, since a pin that was written by hand is mended by nothing else,
    and see how long each proxy takes to serve what the store holds."""
    async with _store(made) as store:
        last = made.operator("last", store)
        for key in KEYS:
            model, _, label = key.partition("@")
            await last.register_new(model)
            order = last.pinning([(model, made.shelf.ids[model][-1])], label, force=True)
            await last.carry_out(order)
        pins = (await store.pins()).pins
    since_s = made.record.now()
    held = {f"{model}@{label}": pin.id for (model, label), pin in pins.items()}
    async with asyncio.TaskGroup() as group:
        for place in made.places:
            for key in KEYS:
                group.create_task(_settled(made, place.name, key, held[key], since_s))


async def _settled(made: Scene, proxy: str, key: str, holds: str, since_s: float) -> None:
    while made.record.now() < since_s + SETTLES_WITHIN_S:
        asked = await made.apps.ask(proxy, key)
        if asked.version == holds:
            made.record.add(Settled(proxy, key, holds, made.record.now() - since_s))
            return
        await asyncio.sleep(ASK_AGAIN_S)
    made.record.add(Settled(proxy, key, holds, None))


async def _write_down_the_store(made: Scene) -> None:
    async with _store(made) as store:
        for model in await store.models():
            for info in await store.versions(model):
                kept = await store.version(model, info.number)
                content = kept.content if kept is not None else b""
                computed = f"sha256:{hashlib.sha256(content).hexdigest()}" if content else ""
                made.record.add(
                    Kept(model, info.number, info.id, info.digest, computed, _mark(content))
                )
            made.record.add(_counted(made.server, model))
            for event in reversed(await store.history(model, 100_000)):
                if event.kind in PIN_KINDS and event.version is not None:
                    made.record.add(
                        Noted(
                            f"{model}@{event.label}",
                            event.kind.value,
                            event.epoch,
                            event.operation,
                            event.version,
                            event.previous,
                        )
                    )


def _mark(content: bytes) -> str:
    return mark_of(json.loads(content)["system"]) if content else ""


def _counted(server: RedisServer, model: str) -> Counted:
    tables = ("versions", "meta", "digests", "short")
    sizes = (server.run("HLEN", KEY_NAMES.of_model(table, model)) for table in tables)
    return Counted(model, *sizes, int(server.run("GET", KEY_NAMES.of_model("seq", model))))


@asynccontextmanager
async def _store(made: Scene) -> AsyncIterator[Store]:
    store = made.store()
    try:
        yield store
    finally:
        await store.close()

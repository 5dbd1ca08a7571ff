"""Operators: register, pin, roll back and undo, all day long, and write down what they were told.

Whoever does not know what became of a command runs it again with the same operation id, until it
is known. Whoever was told that proxies serve a version asks them at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.errors import ProxyError
from proxy.store.base import Change, Store
from proxy.store.base import Order as StoreOrder
from proxy.versions import identity
from proxy.versions.sources import read as read_files
from tests.history.apps import Apps
from tests.history.body import sources
from tests.history.hands import BY, REASON, Answered, ByCommand, Hand, Order
from tests.history.record import Confirmed, Move, Pinned, Recorder, Registered, Written

KEYS = ("flip@prod", "flop@prod", "flip@staging")

# A version is pinned while it is new; older ones were left by a rollback, mostly, and are revoked.
RECENT = 6

# The store was away, and nothing was changed: it may work the next time.
AGAIN = frozenset({"store_unavailable"})
AGAIN_S = (0.1, 0.4)

# Somebody runs a command again that was carried out long ago: nothing must happen.
REPEATED = 0.1
REMEMBERED = 8

VERBS = {"register": 6, "pin": 8, "pin both": 2, "rollback": 2, "undo": 1}


@dataclass
class Shelf:
    """What is registered, for all operators: ids by model, and digests by id. `confirmed` is set
    whenever proxies confirmed something."""

    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    digests: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, model: str, id: str, digest: str) -> None:
        if id not in self.digests:
            self.ids[model].append(id)
            self.digests[id] = digest


class Operator:
    def __init__(
        self,
        name: str,
        hand: Hand,
        store: Store,
        models: Path,
        record: Recorder,
        shelf: Shelf,
        apps: Apps,
        dice: random.Random,
    ) -> None:
        self._name = name
        self._hand = hand
        self._store = store
        self._models = models
        self._record = record
        self._shelf = shelf
        self._apps = apps
        self._dice = dice
        self._orders = itertools.count(1)
        self._done: deque[Order] = deque(maxlen=REMEMBERED)

    async def keep_operating(self, over: asyncio.Event, pause_s: float) -> None:
        """Operate until `over` is set; then end once what is begun is known."""
        while not over.is_set():
            await self.carry_out(self._choose())
            await asyncio.sleep(self._dice.uniform(0, pause_s))

    async def carry_out(self, order: Order) -> Pinned | None:
        """Give `order` until its outcome is known; return the answer of a swap."""
        if order.verb == "register":
            await self._register(order)
            return None
        while True:
            pinned = await self._swap(order)
            await self._probe(pinned)
            if is_known(pinned.outcome, pinned.code):
                self._done.append(order)
                return pinned
            await asyncio.sleep(self._dice.uniform(*AGAIN_S))

    async def swap(self, order: Order, digest: str) -> None:
        """Send `order` to the store as it is: nobody prepares, nobody looks at the version, nobody
        waits. Whether it was carried out is found out by whoever gives it again."""
        ((model, id),) = order.wants
        change = Change(model, order.label, id, digest, force=True)
        started_s = self._record.now()
        with contextlib.suppress(ProxyError):
            await self._store.swap(StoreOrder((change,), order.operation, BY, REASON))
        answered = Answered("unknown", {}, "not waited for")
        self._record.add(swapped(order, answered, started_s, self._record.now()))

    async def register_new(self, model: str) -> tuple[str, str]:
        """Register a version that never was; return its id and its digest."""
        return await self._register(Order("register", self._operation(), ((model, ""),)))

    def pinning(self, wants: Iterable[tuple[str, str]], label: str, **more: Any) -> Order:
        return Order("pin", self._operation(), tuple(wants), label, **more)

    def _choose(self) -> Order:
        if self._done and self._dice.random() < REPEATED:
            return self._dice.choice(self._done)
        verb = self._dice.choices(list(VERBS), list(VERBS.values()))[0]
        model, _, label = self._dice.choice(KEYS).partition("@")
        if verb == "register":
            return Order("register", self._operation(), ((model, ""),))
        waits = {
            "timeout_s": self._dice.choice((0.3, 1.0, 2.0)),
            "required": self._dice.choice((None, 1, 2, 3)),
        }
        if verb == "pin both":
            wants = [(one, self._recent(one)) for one in ("flip", "flop")]
            return self.pinning(wants, "prod", **waits)
        if verb == "pin":
            force = self._dice.random() < 0.2
            return self.pinning([(model, self._recent(model))], label, force=force, **waits)
        return Order(verb, self._operation(), ((model, ""),), label, **waits)

    def _recent(self, model: str) -> str:
        return self._dice.choice(self._shelf.ids[model][-RECENT:])

    def _operation(self) -> str:
        return f"{self._name}-{next(self._orders):05d}"

    async def _register(self, order: Order) -> tuple[str, str]:
        model = order.wants[0][0]
        number = next(self._shelf.numbers)
        made = sources(f"mark-{number:05d}", number)
        digest = write(self._models / model, made.files)
        self._record.add(Written(f"mark-{number:05d}", model, digest, made.injected))
        while True:
            started_s = self._record.now()
            answered = await self._give(order)
            registered = Registered(
                order.operation,
                f"mark-{number:05d}",
                started_s,
                self._record.now(),
                answered.outcome,
                answered.json.get("id", ""),
                answered.json.get("digest", ""),
            )
            self._record.add(registered)
            if registered.id:
                self._shelf.put(model, registered.id, registered.digest)
            if registered.outcome == "done":
                return registered.id, registered.digest
            assert not is_known(answered.outcome, answered.code), f"{order}: {answered.code}"
            await asyncio.sleep(self._dice.uniform(*AGAIN_S))

    async def _swap(self, order: Order) -> Pinned:
        started_s = self._record.now()
        answered = await self._give(order)
        pinned = swapped(order, answered, started_s, self._record.now())
        self._record.add(pinned)
        return pinned

    async def _give(self, order: Order) -> Answered:
        if isinstance(self._hand, ByCommand) and self._dice.random() < 0.4:
            # Starting takes most of a command's time: die there, or in the middle of the work.
            self._hand.patience_s = self._dice.uniform(0.1, 1.5)
        return await self._hand.do(order)

    async def _probe(self, pinned: Pinned) -> None:
        """Ask those that confirmed, at once."""
        if pinned.confirmed:
            self._shelf.confirmed.set()
        asking = [
            self._apps.ask(proxy, move.key, stream=self._dice.random() < 0.3)
            for move in pinned.moves
            for proxy in sorted({one.proxy for one in pinned.confirmed})
        ]
        await asyncio.gather(*asking)


def is_known(outcome: str, code: str) -> bool:
    return outcome in ("done", "unconfirmed") or (outcome == "refused" and code not in AGAIN)


def swapped(order: Order, answered: Answered, started_s: float, ended_s: float) -> Pinned:
    """Return what to write down about one attempt."""
    told = answered.json
    changes = told.get("changes", [told] if told else [])
    proxies = told.get("proxies", [])
    return Pinned(
        order.operation,
        order.verb,
        {f"{model}@{order.label}": id for model, id in order.wants if id},
        started_s,
        ended_s,
        answered.outcome,
        epoch=told.get("epoch", 0),
        moves=tuple(Move(f"{c['model']}@{c['label']}", c["from"], c["to"]) for c in changes),
        confirmed=tuple(
            Confirmed(one["name"], one.get("instance", ""))
            for one in proxies
            if one["ms"] is not None
        ),
        of=told.get("of", 0),
        code=answered.code,
    )


def write(folder: Path, files: dict[str, str]) -> str:
    """Write a version's files; return the digest that it has to get."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    content = read_files({name: text.encode() for name, text in files.items()}, str(folder))
    return identity.digest(identity.canonical(content))

"""Answering what a command asks the fleet, beside the following of the pins."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from proxy.errors import ProxyError, RequestError
from proxy.fleet.fitness import IN_WORDS, Fit, Fitness
from proxy.fleet.held import Held
from proxy.fleet.judge import Judge
from proxy.fleet.probe import probed
from proxy.fleet.snapshot import Served, Snapshot
from proxy.routing.address import Address
from proxy.store.base import MOST_QUESTIONS, Store
from proxy.versions.names import ByLabel
from proxy.versions.question import (
    CONTENT,
    HOLDINGS,
    LIVE,
    PREPARE,
    PROBE,
    Give,
    Given,
    Holdings,
    Live,
    Prepare,
    Prepared,
    Probe,
    Probed,
    Wanted,
    answer,
    asked,
)
from proxy.versions.record import Question

# Whoever asked waits for two seconds; a later answer is read by nobody.
DEADLINE_S = 5.0

# More than are asked at once, so that none is answered twice while it is still there to be read.
_REMEMBERED = 4 * MOST_QUESTIONS

# Whoever asks says how long vendors may be waited for, up to this: others have questions too.
MOST_VENDORS_S = 2.0


class Respondent:
    """Answers questions while `run` runs, as the member with `key`."""

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        judge: Judge,
        held: Held,
        snapshot: Callable[[], Snapshot],
        fit: Fit,
        live: Callable[[], Live] = Live,
    ) -> None:
        self._live = live
        self._store = store
        self._key = key
        self._judge = judge
        self._held = held
        self._snapshot = snapshot
        self._fit = fit
        self._known: dict[str, None] = {}
        self._waiting: asyncio.Queue[Question] = asyncio.Queue(MOST_QUESTIONS)

    def noticed(self, questions: Iterable[Question]) -> None:
        """Have those answered that were not seen before."""
        for question in questions:
            if question.id in self._known:
                continue
            self._known[question.id] = None
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
            with contextlib.suppress(asyncio.QueueFull):
                self._waiting.put_nowait(question)

    async def run(self) -> None:
        """Answer for ever. A question that cannot be answered stays without an answer."""
        while True:
            question = await self._waiting.get()
            with contextlib.suppress(ProxyError, TimeoutError):
                async with asyncio.timeout(DEADLINE_S):
                    body = await self._body(question)
                    if body is not None:
                        await self._store.answer(question.id, self._key, body)

    async def _body(self, question: Question) -> bytes | None:
        """Return the answer; None if there is none to give."""
        if question.kind == PREPARE and (wanted := asked(question, Prepare)):
            return answer(await self._prepared(wanted))
        if question.kind == PROBE and (probe := asked(question, Probe)):
            return answer(await self._probed(probe))
        if question.kind == HOLDINGS:
            return answer(self._holdings())
        if question.kind == LIVE:
            return answer(self._live())
        if question.kind == CONTENT and (give := asked(question, Give)):
            given = self._given(give)
            return answer(given) if given is not None else None
        return None

    async def _prepared(self, prepare: Prepare) -> Prepared:
        limit_s = min(max(prepare.vendors_s, 0.0), MOST_VENDORS_S)
        verified = [await self._verified(wanted) for wanted in prepare.versions]
        found = await asyncio.gather(*(self._fitness(one, limit_s) for one in verified))
        ids = [wanted.id for wanted in prepare.versions]
        judged = dict(zip(ids, found, strict=True))
        return Prepared(
            {id: fitness.code for id, fitness in judged.items() if fitness.code},
            {id: fitness.words for id, fitness in judged.items() if fitness.words},
            {id: fitness.warnings for id, fitness in judged.items() if fitness.warnings},
        )

    async def _verified(self, wanted: Wanted) -> Served | str:
        model, id, digest = wanted.model, wanted.id, wanted.digest
        return await self._judge.verified(model, id, digest, self._snapshot())

    async def _fitness(self, verified: Served | str, limit_s: float) -> Fitness:
        if isinstance(verified, str):
            return Fitness(verified, IN_WORDS.get(verified, ""))
        return await self._fit.fitness(verified, limit_s)

    async def _probed(self, probe: Probe) -> Probed:
        try:
            pinned = self._snapshot().by_label(Address(probe.model, ByLabel(probe.label)))
        except RequestError as error:
            return Probed(error=error.code)
        # In a thread: a version may be large and the samples many, and requests go on.
        served = pinned.served
        return await asyncio.to_thread(probed, served, probe, self._fit.dialects(served))

    def _holdings(self) -> Holdings:
        snapshot = self._snapshot()
        pins = tuple(item.pin for item in snapshot.pinned.values())
        versions = {served.id: _wanted(served) for served in self._all(snapshot)}
        return Holdings(snapshot.epoch, pins, tuple(versions.values()))

    def _given(self, give: Give) -> Given | None:
        if give.member != self._key:
            return None
        for served in self._all(self._snapshot()):
            if _wanted(served) == give.version:
                return Given(served.version.info, served.version.content.decode())
        return None

    def _all(self, snapshot: Snapshot) -> Iterable[Served]:
        yield from (item.served for item in snapshot.pinned.values())
        yield from snapshot.holders
        yield from self._held


def _wanted(served: Served) -> Wanted:
    info = served.version.info
    return Wanted(info.model, info.number, info.id, info.digest)

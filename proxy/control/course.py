"""A drill while it runs: forward to another version and back to what prod holds, on every live
proxy, each asked before, between and after what it would send.

On the label `drill` no app notices. With `live` it is done on `prod`, which gets back what it held
whatever happens in between.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from proxy.control.act import Act, PinReport, carry_out
from proxy.control.confirm import DEFAULT_TIMEOUT_S, Wait
from proxy.control.drill import DrillReport, Evidence, Plan, Rerun, Step, judged
from proxy.control.probe import FIXED, probe, telling, within
from proxy.control.references import Found
from proxy.errors import Conflict, DrillStopped, NotPutBack, ProxyError, UnknownVersion
from proxy.fleet.snapshot import Served, ready
from proxy.store.base import Change, Expect, Store
from proxy.versions.question import Probed, Sample
from proxy.versions.record import PROD, Kind, Member

# A store that comes back within a failover's time still gets its pin back.
PUT_BACK_S = 30.0
PAUSE_S = 0.5

T = TypeVar("T")

Again = Callable[[Found], Awaitable[Rerun]]
"""Runs the cases of a version once more, and compares."""

Seen = dict[str, Probed]


async def _at_once(_: Plan) -> None:
    return


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class How:
    """`timeout_s` is how long to wait for the fleet after each swap. `begin` is called before
    anything is changed, and may raise. `again` None: the cases are not run, `skipped` says why."""

    live: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S
    samples: tuple[Sample, ...] = FIXED
    again: Again | None = None
    skipped: str = ""
    begin: Callable[[Plan], Awaitable[None]] = _at_once
    now: Callable[[], datetime] = _now


@dataclass(slots=True)
class Course:
    """One drill, with the `members` that were live when it began."""

    store: Store
    plan: Plan
    act: Act
    how: How
    members: list[Member]
    steps: list[Step] = field(default_factory=list)
    moves: list[PinReport] = field(default_factory=list)

    async def run(self) -> DrillReport:
        """Raises as `rehearse.rehearse` does once something may have been changed."""
        plan = self.plan
        before = await self._look("probe before", PROD, plan.held)
        if plan.live:
            between, back = await self._there_and_surely_back()
        else:
            between, back = await self._forward(), await self._back()
        after = await self._look("probe after", plan.label, plan.held)
        return await self._report(before, between, after, back)

    async def _there_and_surely_back(self) -> tuple[Seen, PinReport]:
        """Apps are not left with the other version, by whatever ends this: an interrupted command,
        a store that goes away, a mistake of ours."""
        held = self.plan.held.info
        try:
            between = await self._forward()
        except BaseException as error:
            await _to_its_end(self._put_back())
            why = error.message if isinstance(error, ProxyError) else "the drill was interrupted"
            raise DrillStopped(
                f"{why}; {PROD} holds {held.id} again", hint="run it again"
            ) from error
        back = await _to_its_end(self._put_back())
        if back is None:
            raise DrillStopped(f"somebody else put {held.id} back meanwhile", hint="run it again")
        return between, back

    async def _forward(self) -> Seen:
        await self._swap("forward", self.plan.other, Kind.PIN)
        return await self._look("probe between", self.plan.label, self.plan.other)

    async def _look(self, name: str, label: str, about: Found) -> Seen:
        clock = asyncio.get_running_loop().time
        started_s = clock()
        said = await probe(self.store, self.plan.model, label, self._samples, self.members)
        took_ms = round((clock() - started_s) * 1000, 1)
        self.steps.append(Step(name, took_ms, about.info.id, None, len(said), len(self.members)))
        return said

    @property
    def _samples(self) -> tuple[Sample, ...]:
        return within(self.how.samples)

    async def _swap(self, name: str, to: Found, kind: Kind) -> PinReport:
        leaves = self.plan.other if to is self.plan.held else self.plan.held
        # Nobody else's pin is overwritten; what an earlier drill left behind is.
        expected = self.plan.live or kind is Kind.ROLLBACK
        change = Change(
            to.info.model,
            self.plan.label,
            to.info.id,
            to.info.digest,
            expect=Expect(leaves.info.id) if expected else None,
            kind=kind,
        )
        operation = f"{self.act.operation}-{name}"
        act = replace(self.act, operation=operation, reason=self.act.reason or f"drill: {name}")
        report = await carry_out(self.store, [change], act, Wait(self.how.timeout_s))
        self._note(name, to, report)
        return report

    def _note(self, name: str, to: Found, report: PinReport) -> None:
        done = report.confirmation
        prepare_ms, of = report.preparation.elapsed_ms, len(done.proxies)
        step = Step(name, done.elapsed_ms, to.info.id, prepare_ms, done.confirmed, of)
        self.steps.append(step)
        self.moves.append(report)

    async def _back(self) -> PinReport:
        try:
            return await self._swap("rollback", self.plan.held, Kind.ROLLBACK)
        except Conflict as error:
            raise DrillStopped(
                "another drill of this model is under way", hint="run it again afterwards"
            ) from error

    async def _put_back(self) -> PinReport | None:
        """Put back on prod what it held; None: it holds that already. Raises `NotPutBack`."""
        clock = asyncio.get_running_loop().time
        give_up_s = clock() + PUT_BACK_S
        while True:
            try:
                return await self._swap("rollback", self.plan.held, Kind.ROLLBACK)
            except Conflict as error:
                if error.current == self.plan.held.info.id:
                    return None
                why = f"somebody else pinned {error.current} meanwhile, which was left"
                raise self._not_put_back(why) from error
            except ProxyError as error:
                if clock() >= give_up_s:
                    raise self._not_put_back(error.message) from error
            await asyncio.sleep(PAUSE_S)

    def _not_put_back(self, why: str) -> NotPutBack:
        held = self.plan.held.info
        return NotPutBack(
            f"{PROD} of {held.model} does not hold {held.id} as before the drill: {why}",
            hint=f"NOW: proxyctl pin {held.model} v{held.number}",
        )

    async def _report(
        self, before: Seen, between: Seen, after: Seen, back: PinReport
    ) -> DrillReport:
        plan = self.plan
        rerun, skipped = await self._again()
        shows = telling(
            await self._served(plan.held), await self._served(plan.other), self._samples
        )
        confirmed = {(one.name, one.instance): one.ms for one in back.confirmation.proxies}
        evidence = [
            Evidence(
                one,
                before.get(one.key),
                between.get(one.key),
                after.get(one.key),
                confirmed.get((one.name, one.instance)),
            )
            for one in self.members
        ]
        return DrillReport(
            plan=plan,
            by=self.act.by,
            steps=tuple(self.steps),
            proxies=tuple(judged(one, plan, shows) for one in evidence),
            rollback_ms=back.confirmation.elapsed_ms,
            confirmed=all(one.confirmation.enough for one in self.moves),
            samples=len(self._samples),
            rerun=rerun,
            skipped=skipped,
            remarks=tuple(dict.fromkeys(self._remarks())),
        )

    async def _again(self) -> tuple[Rerun | None, str]:
        """Run the cases, or say why not: what proxies proved is not lost for a vendor's trouble."""
        if self.how.again is None:
            return None, self.how.skipped
        clock = asyncio.get_running_loop().time
        started_s = clock()
        try:
            rerun = await self.how.again(self.plan.held)
        except ProxyError as error:
            return None, error.message
        took_ms = round((clock() - started_s) * 1000, 1)
        self.steps.append(Step("evals", took_ms, self.plan.held.info.id))
        return rerun, ""

    async def _served(self, found: Found) -> Served:
        version = await self.store.version(found.info.model, found.info.number)
        if version is None:
            raise UnknownVersion(f"{found.info.id} is gone", hint="proxyctl repair")
        return await ready(version)

    def _remarks(self) -> Iterator[str]:
        """Yield what proxies said against the versions when they prepared them."""
        for move in self.moves:
            for one in move.preparation.rejected:
                yield f"{one.proxy}: {one.version}: {one.words or one.reason}"
            for remark in move.preparation.remarks:
                yield f"{remark.proxy}: {remark.version}: {remark.words}"


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait for `work` however often this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()

"""The drill: which versions, whether it may begin, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

from proxy.control.act import Act
from proxy.control.back import HISTORY_LIMIT
from proxy.control.course import Course, How
from proxy.control.drill import DrillReport, Plan
from proxy.control.live import require_safe
from proxy.control.references import find_id, require_model
from proxy.errors import NoRollbackTarget, NothingToRehearse
from proxy.store.base import Store
from proxy.versions.backward import rollback_target
from proxy.versions.record import DRILL, PROD, SERVING, VersionInfo


async def rehearse(store: Store, model: str, act: Act, how: How) -> DrillReport:
    """Rehearse a rollback of `model` and keep the report in its history.

    Raises `NothingToRehearse`, `Frozen` or `DrillRefused` before anything was changed,
    `DrillStopped` if it could not be ended but prod holds what it held, `NotPutBack` if it does
    not; and what the store raises.
    """
    plan = await plan_of(store, model, live=how.live)
    if how.live:
        await require_safe(store, plan, act.by, how.now())
    members = [one for one in await store.members() if one.live and one.state == SERVING]
    if not members:
        raise NothingToRehearse("no proxy is live", hint="start one: it is proxies that go back")
    await how.begin(plan)
    report = await Course(store, plan, act, how, members).run()
    event = await store.note_drill(
        report.drill(), report.kept(), reason=_said(report), operation=f"{act.operation}-note"
    )
    return replace(report, at=event.at)


def _said(report: DrillReport) -> str:
    """Return what the history says in its column of reasons."""
    well = sum(not one.complaints for one in report.proxies)
    reverted = f"reverted at {well} of {len(report.proxies)} proxies"
    return f"{reverted}, rollback in {report.rollback_ms:g} ms"


async def plan_of(store: Store, model: str, *, live: bool = False) -> Plan:
    """Choose the versions: what prod holds, and the newest other one; with `live` the one that a
    rollback would go to, so that none is served that was not. Raises `NothingToRehearse`."""
    versions = await require_model(store, model)
    pin = (await store.pins()).pins.get((model, PROD))
    if pin is None:
        raise NothingToRehearse(
            f"{PROD} of {model} holds nothing that can be read", hint=f"proxyctl status {model}"
        )
    held = await find_id(store, model, pin.id)
    if live:
        other = await _rollback_target(store, model, pin.id)
    else:
        other = _newest_other(versions, pin.id)
    return Plan(model, PROD if live else DRILL, await find_id(store, model, other), held, live)


def _newest_other(versions: list[VersionInfo], held: str) -> str:
    for info in reversed(versions):
        if info.id != held:
            return info.id
    raise NothingToRehearse(
        f"{held} is the only version: there is none to come back from",
        hint="register another one",
    )


async def _rollback_target(store: Store, model: str, held: str) -> str:
    events = await store.history(model, HISTORY_LIMIT)
    revoked = (await store.guards(model)).revoked
    try:
        return rollback_target(events, PROD, held, revoked)
    except NoRollbackTarget as error:
        raise NothingToRehearse(
            error.message, hint="rehearse without --live: any other version will do"
        ) from None

"""`proxyctl rehearse`: a rollback, before it is needed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import click

from proxy.cli.command import Call, Verb
from proxy.cli.eval_bar import watch
from proxy.cli.eval_options import placed
from proxy.cli.eval_where import Where
from proxy.cli.options import whoami
from proxy.cli.page import (
    DONE,
    NOT_CONFIRMED,
    REFUSED,
    Answer,
    Block,
    Cell,
    Table,
    bad,
    dim,
    good,
    line,
    short,
    so_many_proxies,
    strong,
    warning,
)
from proxy.cli.printing import print_banner
from proxy.control.act import Act
from proxy.control.confirm import DEFAULT_TIMEOUT_S
from proxy.control.course import How
from proxy.control.drill import DrillReport, Evidence, Plan, Step
from proxy.control.drill_evals import run_again, samples_of
from proxy.control.evaluate import Way
from proxy.control.rehearse import rehearse
from proxy.control.suite_files import SuiteFiles, find_suite
from proxy.errors import DrillStopped, NotReverted
from proxy.settings import Settings
from proxy.settings_file import STORE_SECTIONS
from proxy.store.base import Store
from proxy.versions.record import DRILL

# Long enough to read what is about to happen, and to find Ctrl-C.
COUNTDOWN_S = 5

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

HELP = """\
Rehearse a rollback on every live proxy, time it, and prove that behaviour
went back.

On the label drill, which no app is served from, the newest other version is
put there, then what prod holds. Before, between and after, every proxy says
which version would answer and what it would send to the vendor, byte for byte;
no vendor is called for that. Where the model has cases (evals.toml), they are
what is asked, and they are run once more for what prod holds, unless
--no-evals: by a proxy of its own as eval does, or by --proxy; --simulate plays
vendors that have no key. The report goes into the history.

--live does it on prod: to the version that a rollback would go to, and back.
It is refused for a frozen model, where that version may not be pinned freely,
where a proxy is missing, drains or serves something else, and for five minutes
after somebody else changed prod. It counts down and can be interrupted; prod
gets back what it held whatever happens. Nothing is revoked.

Exit status: 0 reverted, 1 refused or not reverted, 3 not confirmed in time.

examples:
  proxyctl rehearse recommender
  proxyctl rehearse recommender --json --no-evals       from cron
  proxyctl rehearse recommender --live
"""


@click.command("rehearse", cls=Verb, help=HELP, short_help="Rehearse a rollback, and time it.")
@click.argument("model", metavar="NAME")
@click.option("--live", is_flag=True, help="On prod itself.")
@click.option("--yes", is_flag=True, help="With --live: no countdown.")
@click.option(
    "--timeout",
    "timeout_s",
    type=float,
    default=DEFAULT_TIMEOUT_S,
    metavar="S",
    help=f"Seconds to wait for the fleet after each swap [{DEFAULT_TIMEOUT_S:g}].",
)
@placed
@click.option("--no-evals", is_flag=True, help="Do not run the cases again.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the history.")
@click.option("--as", "by", metavar="WHO", help="Who does it [user@host].")
@click.pass_obj
def command(
    call: Call,
    model: str,
    live: bool,
    yes: bool,
    timeout_s: float,
    no_evals: bool,
    where: Where,
    reason: str,
    by: str | None,
) -> Answer:
    if not 0 < timeout_s <= 3600:
        raise click.UsageError("--timeout takes up to 3600 seconds")
    if live and not yes and not sys.stdin.isatty():
        raise click.UsageError("--live counts down on a terminal; elsewhere it needs --yes")
    act = Act(by or whoami(), secrets.token_hex(8), reason)
    how = How(live, timeout_s)
    if live and not yes:
        how = replace(how, begin=_begin)
    if no_evals:
        settings = call.settings(only=STORE_SECTIONS | {"models"})
        how = replace(how, skipped="--no-evals")
    else:
        settings = call.settings()
    files = find_suite(settings.models.dir / model)

    def with_cases(store: Store) -> How:
        return _with_cases(how, store, call, settings, files, act, where)

    async def work(store: Store) -> DrillReport:
        return await _run(store, model, act, with_cases(store))

    return answer(call.run(work, settings))


def _with_cases(
    how: How,
    store: Store,
    call: Call,
    settings: Settings,
    files: SuiteFiles | None,
    act: Act,
    where: Where,
) -> How:
    """Return `how` with what the model's cases add to it."""
    if files is None:
        return replace(how, skipped=how.skipped or "there is no evals.toml here")
    how = replace(how, samples=samples_of(files.suite.cases))
    if how.skipped:
        return how
    way = Way(
        opened=where.opened(settings, call.env),
        watch=watch(quiet=call.json),
        notes=settings.state.dir / "evals",
        clock=time.time,
        place=f"{DRILL}-{where.place}" if where.place else DRILL,
    )
    return replace(how, again=lambda found: run_again(store, found, files, act, way))


async def _run(store: Store, model: str, act: Act, how: How) -> DrillReport:
    """Rehearse, with signals as cancellations: a drill on prod has something to put back."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    with contextlib.suppress(RuntimeError, ValueError):  # signals are the main thread's
        for one in _SIGNALS:
            loop.add_signal_handler(one, task.cancel)
    try:
        return await rehearse(store, model, act, how)
    except asyncio.CancelledError:
        raise DrillStopped("interrupted; prod holds what it held", hint="run it again") from None
    finally:
        for one in _SIGNALS:
            loop.remove_signal_handler(one)


async def _begin(plan: Plan) -> None:
    """Say what is about to happen, and leave time to stop it."""
    held, other = short(plan.held.info.id, plan.model), short(plan.other.info.id, plan.model)
    print_banner(
        [
            line(strong(plan.model), f" {plan.label}: {held} → ", warning(other), f" → {held}"),
            line(dim(f"on every live proxy, for apps too, in {COUNTDOWN_S} s; Ctrl-C stops it")),
        ]
    )
    for left in range(COUNTDOWN_S, 0, -1):
        print_banner([line(f"{left} …")])
        await asyncio.sleep(1)


def answer(report: DrillReport) -> Answer:
    """Return what the drill showed, as facts and as a page."""
    status = DONE if report.reverted else REFUSED
    refusal = None
    if not report.reverted:
        refusal = NotReverted(
            f"the drill of {report.plan.model} did not prove that a rollback works",
            hint="the complaints say why; proxyctl check looks further",
        )
    if not report.confirmed:
        status = NOT_CONFIRMED
    warnings = () if report.confirmed else ("not every proxy confirmed both swaps in time",)
    return Answer(report.json(), tuple(_page(report)), warnings, status, refusal)


def _page(report: DrillReport) -> Iterator[Block]:
    plan = report.plan
    held, other = short(plan.held.info.id, plan.model), short(plan.other.info.id, plan.model)
    where = f", {so_many_proxies(len(report.proxies))}"
    yield line(strong(plan.model), f" {plan.label}: {other} → ", strong(held), where)
    rollback = f"rollback in {report.rollback_ms:g} ms"
    if report.reverted:
        yield line(good(f"behaviour reverted, {rollback}"))
    else:
        yield line(bad("behaviour did not revert everywhere"), f", {rollback}")
    yield line()
    yield Table(
        ("step", "version", "ms", "confirmed"), tuple(_step(one, plan) for one in report.steps)
    )
    yield line()
    headers = ("proxy", "release", "rollback ms", "stamp", "body", "")
    yield Table(headers, tuple(_proxy(one) for one in report.proxies))
    yield line()
    yield from _evals(report)
    for remark in report.remarks:
        yield line(warning(remark))


def _step(step: Step, plan: Plan) -> tuple[Cell, ...]:
    counted = f"{step.confirmed} of {step.of}" if step.of is not None else ""
    whole = step.confirmed == step.of
    version = short(step.version, plan.model)
    return (step.name, version, f"{step.ms:g}", counted if whole else warning(counted))


def _proxy(one: Evidence) -> tuple[Cell, ...]:
    before, back = one.before, one.back
    same = before is not None and back is not None and before.bodies == back.bodies
    return (
        one.member.name,
        one.member.release,
        f"{one.ms:g}" if one.ms is not None else warning("none"),
        back.version.rpartition("-")[2] if back is not None else "",
        good("as before") if same else bad("not as before"),
        bad("; ".join(one.complaints)) if one.complaints else "",
    )


def _evals(report: DrillReport) -> Iterator[Block]:
    again = report.rerun
    if again is None:
        if report.skipped:
            yield line(dim(f"cases were not run again: {report.skipped}"))
        return
    approved = again.approved
    was = f", {approved.score:.3f} when it was approved" if approved is not None else ""
    text = f"cases: {again.now.score:.3f} now{was}"
    yield line(bad(text) if again.worse else good(text), dim(f"  {again.words}"))

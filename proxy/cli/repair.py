"""`proxyctl repair`: bring store and fleet together again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from proxy.cli import moved
from proxy.cli.command import Call, Verb
from proxy.cli.options import acting, reasoned, waiting
from proxy.cli.page import Answer, Block, bad, dim, good, line, short, strong, warning
from proxy.control.act import Act
from proxy.control.confirm import Wait
from proxy.control.repair import RepairReport, repair, survey
from proxy.store.base import Store

HELP = """\
Bring the store and the fleet together again, after the store lost something or
somebody set a pin by hand. Without --yes it only says what it would do.

It asks every live proxy what it serves and holds, and compares. Then: versions
that the store lost come back under the number and the digest that they had;
pins that were set by hand are written into the history; labels whose pin is
lost, or older than what the fleet serves, are pinned to what the fleet serves.
Of two pins the one with the higher epoch counts.

Nothing that the store holds is overwritten or removed. History, revocations and
freezes that were lost stay lost: look at what a rollback would do afterwards.
A proxy that is gone can still help: --from reads a copy of its last known good.

examples:
  proxyctl repair
  proxyctl repair --yes --reason "restored from last night's copy"
  proxyctl repair --from /srv/old/.proxy/last-known-good.json
"""


@click.command("repair", cls=Verb, help=HELP, short_help="Bring store and fleet together.")
@click.option("--yes", is_flag=True, help="Do it.")
@click.option(
    "--from",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A last known good file that holds what was lost; may be repeated.",
)
@reasoned
@acting
@waiting
@click.pass_obj
def command(call: Call, yes: bool, files: tuple[Path, ...], act: Act, wait: Wait) -> Answer:
    async def work(store: Store) -> RepairReport:
        found = await survey(store, files)
        if not yes or found.plan.is_empty:
            return RepairReport(found.plan, applied=False)
        return await repair(store, found, act, wait)

    report = call.run(work, operation=act.operation if yes else None)
    if report.pinned is None:
        return Answer(report.json(), tuple(_page(report)))
    pinned = moved.answer(report.pinned)
    page = (*_page(report), *pinned.page)
    return Answer(report.json(), page, pinned.warnings, pinned.status)


def _page(report: RepairReport) -> Iterator[Block]:
    plan = report.plan
    for restore in plan.restore:
        yield line("restore  ", strong(restore.version.id), dim(f"  from {restore.copy.name}"))
    for pin in plan.record:
        what = f"record   {pin.model} {pin.label}: "
        held = strong(short(pin.id, pin.model))
        yield line(what, held, dim(f"  set by hand, epoch {pin.epoch}"))
    for repin in plan.repin:
        pin = repin.pin
        what = f"pin      {pin.model} {pin.label}: {short(repin.held, pin.model)} → "
        served = dim(f"  served by {', '.join(repin.served_by)}")
        yield line(what, strong(short(pin.id, pin.model)), served)
    for remark in plan.remarks:
        yield line(warning(remark))
    yield _verdict(report)


def _verdict(report: RepairReport) -> Block:
    if report.plan.is_empty:
        whole = not report.plan.remarks
        return line(good("store and fleet agree") if whole else bad("nothing can be repaired"))
    if report.applied:
        return line(good("done"))
    return line(dim("nothing was changed yet; proxyctl repair --yes does this"))

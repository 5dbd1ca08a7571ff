"""`proxyctl pin`: point a label at a version."""

from __future__ import annotations

from collections.abc import AsyncIterator

import click

from proxy.cli import moved
from proxy.cli.command import Call, Verb
from proxy.cli.options import acting, labelled, reasoned, waiting
from proxy.cli.page import Answer
from proxy.control.act import Act, PinReport
from proxy.control.confirm import Wait
from proxy.control.pin import Want, pin
from proxy.store.base import Store

HELP = """\
Point a label at a version, and wait until every live proxy serves it.

One atomic swap: requests that begin afterwards get the new version, requests
in flight end with the one they began with. Several models given at once move
together or not at all. A version is named v7, v7-a3f9c2, by its full id, or by
a label that holds it.

Before that, every live proxy fetches and verifies the version. If one could not
serve it, nothing is changed (not_prepared), unless the pin goes back to what
the label held before. A proxy that does not answer is named and not waited for.

Nothing but registered versions can be pinned. To come to prod, a version has
to pass the gate in force, where the model has one, by a result that is kept
with it (gate_refused, unproven); see eval and gate. A version that was rolled
back from is revoked. --force with a --reason overrides the gate, a revocation,
a freeze and what proxies say; ratify accepts that afterwards.

Pinning the version that a label holds already is not an error. This does not
change the files under config/models; see checkout.

examples:
  proxyctl pin recommender v7
  proxyctl pin recommender v7 ranker v3             both, or neither
  proxyctl pin recommender v7 --label staging
  proxyctl pin recommender staging                  what staging holds, to prod
  proxyctl pin recommender v7 --expect v6           only if prod holds v6
  proxyctl pin recommender v5 --force --reason "v6 was not the cause"
"""


@click.command("pin", cls=Verb, help=HELP, short_help="Point a label at a version.")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME VERSION [NAME VERSION]...")
@labelled
@click.option("--expect", metavar="VERSION", help="Only if the label holds this, or none.")
@click.option("--revoke", is_flag=True, help="Revoke the version that is left.")
@click.option("--force", is_flag=True, help="Despite gate, freeze, revocation or a rejection.")
@reasoned
@acting
@waiting
@click.pass_obj
def command(
    call: Call,
    pairs: tuple[str, ...],
    label: str,
    expect: str | None,
    revoke: bool,
    force: bool,
    act: Act,
    wait: Wait,
) -> Answer:
    if len(pairs) % 2:
        raise click.UsageError("give a VERSION for every NAME")
    wants = [Want(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]

    async def work(store: Store) -> tuple[PinReport, list[str]]:
        report = await pin(
            store, wants, act, wait, label=label, expect=expect, revoke=revoke, force=force
        )
        return report, [note async for note in _forced(store, report)] if force else []

    report, notes = call.run(work, operation=act.operation)
    return moved.answer(report, notes)


async def _forced(store: Store, report: PinReport) -> AsyncIterator[str]:
    """Say of each version that somebody has to ratify it yet."""
    for one in report.moved:
        if f"{one.label}:{one.id}" in (await store.guards(one.model)).unratified:
            yield f"forced: status shows it until proxyctl ratify {one.model} --reason WHY"

"""`proxyctl gate` and `proxyctl ratify`: what a version must pass, and what was let past it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from proxy.cli.command import Call, Verb
from proxy.cli.options import acting, labelled, reasoned
from proxy.cli.page import Answer, Block, Table, dim, good, line, short, strong, warning
from proxy.control.act import Act
from proxy.control.gate import GateReport, accept, ratify, show, unratified
from proxy.control.references import find, find_id, require_label, require_model
from proxy.control.suite_files import wanted_gate
from proxy.errors import NothingToRatify
from proxy.store.base import Store
from proxy.versions.evidence import Gate

GATE_HELP = """\
Show what a version of a model must pass to come to prod, and what its files
ask for.

The gate in force is kept in the store. register and eval put a stricter one,
or one about a changed suite, in force by themselves. One that is looser comes
in force only by --accept (what evals.toml asks for) or --remove (none), with a
--reason; that is in the history like a pin. Going back never meets the gate.
This judges no version; see eval.

examples:
  proxyctl gate recommender
  proxyctl gate recommender --accept --reason "the suite was too strict"
"""

RATIFY_HELP = """\
Accept after the fact what was forced to a label, so that it counts as passed.

A pin with --force is in the history for ever, shows on status, and is not free
to go back to, until somebody ratifies it. Without VERSION it is the one that
was forced last. This moves no pin.

examples:
  proxyctl ratify recommender --reason "eval was down, ran it since"
  proxyctl ratify recommender v7 --reason "agreed in review"
"""


@click.command("gate", cls=Verb, help=GATE_HELP, short_help="Show or change what must be passed.")
@click.argument("model", metavar="NAME")
@click.option("--accept", "accepted", is_flag=True, help="Put in force what the files ask for.")
@click.option("--remove", is_flag=True, help="Ask for nothing but registration.")
@reasoned
@acting
@click.pass_obj
def gate(call: Call, model: str, accepted: bool, remove: bool, act: Act) -> Answer:
    if accepted and remove:
        raise click.UsageError("--accept does not go with --remove")
    settings = call.settings(only=frozenset({"store", "models"}))
    wanted = wanted_gate(settings.models.dir / model)

    async def work(store: Store) -> GateReport:
        await require_model(store, model)
        if accepted or remove:
            return await accept(store, model, None if remove else wanted, act)
        return await show(store, model, wanted)

    if accepted and wanted is None:
        raise click.UsageError(
            "the model has no evals.toml to accept; --remove takes the gate away"
        )
    report = call.run(work, settings, operation=act.operation if accepted or remove else None)
    return Answer(report.json(), tuple(_page(report)))


def _page(report: GateReport) -> Iterator[Block]:
    if report.changed:
        yield line(strong(report.model), good("  the gate is changed"))
    if report.gate is None:
        yield line(strong(report.model), warning("  has no gate: what is registered may be pinned"))
    rows = [("in force", *_cells(report.gate))] if report.gate is not None else []
    if report.wanted is not None and report.wanted != report.gate:
        rows.append(("evals.toml", *_cells(report.wanted)))
    if rows:
        yield Table(
            ("gate", "min_score", "max_regression", "simulated", "cases", "suite"), tuple(rows)
        )
    if report.looser:
        yield line(dim("the files ask for less; --accept with a reason puts that in force"))


def _cells(gate: Gate) -> tuple[str, ...]:
    allowed = "not asked" if gate.max_regression is None else f"{gate.max_regression:g}"
    simulated = "counts" if gate.simulated else "does not count"
    return f"{gate.min_score:g}", allowed, simulated, str(gate.cases), gate.suite[:19]


@click.command("ratify", cls=Verb, help=RATIFY_HELP, short_help="Accept what was forced.")
@click.argument("model", metavar="NAME")
@click.argument("version", required=False, metavar="[VERSION]")
@labelled
@reasoned
@acting
@click.pass_obj
def ratify_command(call: Call, model: str, version: str | None, label: str, act: Act) -> Answer:
    async def work(store: Store) -> Answer:
        id = await _forced(store, model, label, version)
        done = await ratify(store, model, act, label=label, version=id)
        return Answer(
            done.json(), (line(strong(short(id, model)), f" counts as passed under {label} now"),)
        )

    return call.run(work, operation=act.operation)


async def _forced(store: Store, model: str, label: str, version: str | None) -> str:
    """Return the id that is meant: the one that was forced last, if none is named."""
    require_label(label)
    if version is not None:
        return (await find(store, model, version)).info.id
    await require_model(store, model)
    forced = unratified(await store.guards(model), label)
    if not forced:
        raise NothingToRatify(
            f"nothing was forced to {label} of {model} that was not ratified",
            hint="look at proxyctl status",
        )
    return (await find_id(store, model, forced[0])).info.id

"""`proxyctl status`: pins, guards, fleet, store."""

from __future__ import annotations

from collections.abc import Iterator

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import Answer, Block, Cell, Table, bad, dim, good, line, short, warning, when
from proxy.control.confirm import SERVING
from proxy.control.status import LabelState, ModelState, Status, status
from proxy.versions.record import Member

HELP = """\
Show what every label holds, what stands in the way of a pin, and the fleet.

A pin that was set by hand shows as unrecorded; one that cannot be read as
broken. Members whose release or vendor table differs from most are marked.
Whether all of it would work is another question; see check.

examples:
  proxyctl status
  proxyctl status recommender --json
"""


@click.command("status", cls=Verb, help=HELP, short_help="Show pins, fleet and store.")
@click.argument("models", nargs=-1, metavar="[NAME]...")
@click.pass_obj
def command(call: Call, models: tuple[str, ...]) -> Answer:
    state = call.run(lambda store: status(store, set(models)))
    return Answer(state.json(), tuple(_page(state)))


def _page(state: Status) -> Iterator[Block]:
    yield line(f"store  {state.store}")
    yield line(f"epoch  {state.epoch}")
    yield line()
    rows = tuple(row for model in state.models for row in _rows(model))
    if rows:
        headers = ("model", "label", "version", "since", "by", "why", "")
        yield Table(headers, rows)
    else:
        yield line(dim("no model is registered; see proxyctl register"))
    yield line()
    if state.members:
        members = tuple(_member(one, state) for one in state.members)
        yield Table(("proxy", "state", "epoch", "release", "seen", ""), members)
    else:
        yield line(dim("no proxy is live"))


def _rows(model: ModelState) -> Iterator[tuple[Cell, ...]]:
    notes = _notes(model)
    if not model.labels:
        newest = short(model.newest.id, model.model)
        yield (model.model, "", dim("nothing"), "", "", f"newest is {newest}", notes)
    for label in model.labels:
        yield _label_row(model, label, notes)
        notes = ""


def _label_row(model: ModelState, state: LabelState, notes: Cell) -> tuple[Cell, ...]:
    event = state.event
    held = good(short(state.pin.id, model.model)) if state.pin else bad("broken")
    if state.pin is not None and event is None:
        notes = bad("unrecorded: set by hand")
    if event is not None and event.forced:
        notes = bad("forced")
    return (
        model.model,
        state.label,
        held,
        when(event.at) if event else "",
        event.by if event else "",
        event.reason if event else "",
        notes,
    )


def _notes(model: ModelState) -> Cell:
    if not model.guards.frozen:
        return ""
    reason = model.guards.frozen_reason
    return warning(f"frozen: {reason}" if reason else "frozen")


def _member(member: Member, state: Status) -> tuple[Cell, ...]:
    behind = member.epoch < state.epoch
    return (
        member.name,
        good(member.state) if member.state == SERVING else warning(member.state),
        warning(str(member.epoch)) if behind else str(member.epoch),
        member.release,
        f"{member.age_s:.1f} s ago",
        bad("differs") if member.name in state.odd else member.detail,
    )

"""`proxyctl status`: pins, guards, fleet, store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import (
    Answer,
    Block,
    Cell,
    Span,
    Table,
    ago,
    bad,
    dim,
    good,
    line,
    short,
    so_many_proxies,
    warning,
    when,
)
from proxy.control.confirm import MISSING
from proxy.control.status import LabelState, ModelState, ProxyState, Status, status
from proxy.fleet.standing import FOLLOWING
from proxy.settings_file import STORE_SECTIONS
from proxy.versions.record import SERVING

SECTIONS = STORE_SECTIONS | {"drills"}

# A proxy hears from its store four times a second.
QUIET_S = 3.0

HELP = """\
Show what every label holds, what stands in the way of a pin, and the fleet.

A pin that was set by hand shows as unrecorded; one that cannot be read as
broken. A proxy that fell silent is missing for ten minutes; one whose release
or vendor table differs from most is marked. `older` counts the requests that
still end with what a label held before.

What was forced to prod is marked until it is ratified. A drill is due when the
last one is older than drills.max_age_days, or did not show that behaviour
reverts.

A store that is behind the fleet lost something; see repair. Whether all of it
would work is another question; see check.

examples:
  proxyctl status
  proxyctl status recommender --json
"""


@click.command("status", cls=Verb, help=HELP, short_help="Show pins, fleet and store.")
@click.argument("models", nargs=-1, metavar="[NAME]...")
@click.pass_obj
def command(call: Call, models: tuple[str, ...]) -> Answer:
    settings = call.settings(only=SECTIONS)
    days = settings.drills.max_age_days
    state = call.run(lambda store: status(store, set(models), max_age_days=days), settings)
    return Answer(state.json(), tuple(_page(state)))


def _page(state: Status) -> Iterator[Block]:
    yield line(f"store  {state.store}")
    yield line(f"epoch  {state.epoch}")
    if state.behind:
        yield line(bad("the store is behind the fleet"), dim("  see proxyctl repair"))
    yield line()
    rows = tuple(row for model in state.models for row in _rows(model))
    if rows:
        headers = ("model", "label", "version", "since", "by", "why", "")
        yield Table(headers, rows)
    else:
        yield line(dim("no model is registered; see proxyctl register"))
    yield from _drills(state.models)
    yield line()
    if state.fleet:
        rows = tuple(_proxy(one, state) for one in state.fleet)
        yield Table(("proxy", "state", "epoch", "store", "seen", "older", "release", ""), rows)
    else:
        yield line(dim("no proxy is live"))


def _drills(models: Iterable[ModelState]) -> Iterator[Block]:
    """Show what was rehearsed, and what should be."""
    rows = tuple(_drill(one) for one in models if one.guards.drill is not None or one.drill_due)
    if rows:
        yield line()
        yield Table(("model", "last drill", "rollback", "behaviour", ""), rows)


def _drill(model: ModelState) -> tuple[Cell, ...]:
    drill, age_s = model.guards.drill, model.drill_age_s
    hint = f"proxyctl rehearse {model.model}"
    due = warning(f"due: {hint}") if model.drill_due else ""
    if drill is None or age_s is None:
        return (model.model, warning("never"), "", "", due)
    return (
        model.model,
        ago(age_s),
        f"{drill.rollback_ms:g} ms, {so_many_proxies(drill.proxies)}",
        good("reverted") if drill.reverted else bad("did not revert"),
        due,
    )


def _rows(model: ModelState) -> Iterator[tuple[Cell, ...]]:
    notes = _notes(model)
    if not model.labels:
        newest = short(model.newest.id, model.model)
        yield (model.model, "", dim("nothing"), "", "", f"newest is {newest}", notes or "")
    for label in model.labels:
        yield _label_row(model, label, notes)
        notes = None


def _label_row(model: ModelState, state: LabelState, notes: Span | None) -> tuple[Cell, ...]:
    event = state.event
    held = good(short(state.pin.id, model.model)) if state.pin else bad("broken")
    return (
        model.model,
        state.label,
        held,
        when(event.at) if event else "",
        event.by if event else "",
        event.reason if event else "",
        _both(_remarks(model, state), notes),
    )


def _remarks(model: ModelState, state: LabelState) -> Span | None:
    event = state.event
    if state.pin is not None and (state.label, state.pin.id) in model.forced:
        return bad("forced, not ratified")
    if state.pin is not None and event is None:
        return bad("unrecorded: set by hand")
    return warning("forced") if event is not None and event.forced else None


def _notes(model: ModelState) -> Span | None:
    if not model.guards.frozen:
        return None
    who = f" by {model.freeze.by}, {when(model.freeze.at)}" if model.freeze is not None else ""
    reason = model.guards.frozen_reason
    return warning(f"frozen{who}" + (f": {reason}" if reason else ""))


def _both(first: Span | None, second: Span | None) -> Cell:
    if first is None or second is None:
        return first or second or ""
    return Span(f"{first.text}; {second.text}", first.style)


def _proxy(proxy: ProxyState, state: Status) -> tuple[Cell, ...]:
    member = proxy.member
    differs = member.epoch != state.epoch
    return (
        member.name,
        good(proxy.state) if proxy.state == SERVING else warning(proxy.state),
        warning(str(member.epoch)) if differs else str(member.epoch),
        _relation(proxy),
        f"{member.age_s:.1f} s ago",
        str(member.older) if member.older else "",
        member.release,
        bad("differs") if proxy.differs else _remark(proxy),
    )


def _remark(proxy: ProxyState) -> Cell:
    """Say what is odd about the proxy: in its own words, or what it serves instead."""
    if proxy.member.detail or not proxy.others:
        return proxy.member.detail
    others = (f"{key} {short(id, key.partition('@')[0])}" for key, id in proxy.others.items())
    return warning(f"serves {', '.join(others)}")


def _relation(proxy: ProxyState) -> Cell:
    """Say how the proxy stands with the store, and since when it has not heard from it."""
    if proxy.state == MISSING or not proxy.member.store:
        return ""
    text, heard = proxy.member.store, proxy.contact_age_s
    if heard is not None and heard >= QUIET_S:
        return warning(f"{text}, heard {heard:.0f} s ago")
    return text if text == FOLLOWING else warning(text)

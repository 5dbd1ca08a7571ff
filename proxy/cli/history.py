"""`proxyctl history` and `proxyctl at`: what was pinned, when, by whom and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import (
    Answer,
    Block,
    Cell,
    Table,
    bad,
    dim,
    good,
    line,
    short,
    strong,
    warning,
    when,
)
from proxy.control.back import HISTORY_LIMIT
from proxy.control.gate_history import gate_changes
from proxy.control.history import at, history
from proxy.versions.record import Event, Kind

HISTORY_HELP = """\
Show what was done to a model, newest first: who, when, and why.

Pins, freezes, changes of the gate, ratified pins and drills. Registrations and
results of evals are not in it; see versions. Times are UTC, by the store's
clock.

examples:
  proxyctl history recommender
  proxyctl history recommender --label prod --limit 10
"""

AT_HELP = """\
Show what every label of every model held at a moment: which version was live
on Tuesday at 02:10?

TIME is a date and time (2026-11-24T02:10, UTC unless it says otherwise), a
date (its first moment), or how long ago (90s, 15m, 2h, 3d). It is the time of
the swap by the store's clock; a proxy that was cut off may have followed later.

examples:
  proxyctl at 2026-11-24T02:10
  proxyctl at "2026-11-24 02:10+01:00"
  proxyctl at 2h
"""

_AGO = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.command("history", cls=Verb, help=HISTORY_HELP, short_help="Show what was done to a model.")
@click.argument("model", metavar="NAME")
@click.option("--label", metavar="LABEL", help="Of this label only.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=HISTORY_LIMIT, metavar="N", help="The last N."
)
@click.pass_obj
def history_command(call: Call, model: str, label: str | None, limit: int) -> Answer:
    found = call.run(lambda store: history(store, model, label=label, limit=limit))
    return Answer(found.json(), _history_page(found.events))


def _history_page(events: Sequence[Event]) -> list[Block]:
    if not events:
        return [line(dim("nothing was pinned yet"))]
    headers = ("when", "label", "from", "to", "how", "by", "why")
    changes = gate_changes(events)
    return [Table(headers, tuple(_row(event, changes.get(event, "")) for event in events))]


def _row(event: Event, change: str) -> tuple[Cell, ...]:
    return (
        when(event.at),
        event.label,
        *_moved(event),
        _how(event),
        event.by,
        "; ".join(filter(None, (change, event.reason))),
    )


def _moved(event: Event) -> tuple[Cell, Cell]:
    """Return from where to where; nothing for an event that is about no version."""
    if not (event.previous or event.version):
        return "", ""
    if event.kind is Kind.RATIFY:
        return "", short(event.version, event.model)
    return short(event.previous, event.model), strong(short(event.version, event.model))


def _how(event: Event) -> Cell:
    if event.verdict:
        return good(f"{event.kind}, {event.verdict}")
    if event.forced:
        return bad(f"{event.kind}, forced")
    return warning(str(event.kind)) if event.kind is Kind.ROLLBACK else str(event.kind)


@click.command("at", cls=Verb, help=AT_HELP, short_help="Show what was pinned at a moment.")
@click.argument("time", metavar="TIME")
@click.pass_obj
def at_command(call: Call, time: str) -> Answer:
    moment = parse_time(time, datetime.now(UTC))
    if moment is None:
        raise click.UsageError("TIME is 2026-11-24T02:10, 2026-11-24, or 2h (ago)")
    held = call.run(lambda store: at(store, moment))
    title = line(f"at {held.json()['at'][:19].replace('T', ' ')} UTC")
    return Answer(held.json(), (title, *_at_page(held.pins)))


def _at_page(pins: Sequence[Event]) -> list[Block]:
    if not pins:
        return [line(dim("nothing was pinned"))]
    rows = tuple(
        (e.model, e.label, strong(short(e.version, e.model)), when(e.at), e.by, e.reason)
        for e in pins
    )
    return [Table(("model", "label", "version", "since", "by", "why"), rows)]


def parse_time(text: str, now: datetime) -> datetime | None:
    """Read a moment as people write it; None if it is none. Without a zone it is UTC."""
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

"""`proxyctl versions`: what is registered."""

from __future__ import annotations

from collections.abc import Sequence

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import Answer, Block, Cell, Table, bad, dim, good, line, short, strong, when
from proxy.control.catalog import ModelRow, VersionRow, list_models, list_versions
from proxy.versions.record import PROD, VersionInfo

HELP = """\
List the versions of a model, newest first, with the labels that hold them and
the score of their last eval. Without a NAME, list models and what is pinned.

This shows no content and no cases; see show, diff and compare.

examples:
  proxyctl versions
  proxyctl versions recommender
"""


@click.command("versions", cls=Verb, help=HELP, short_help="List versions, or models.")
@click.argument("model", required=False, metavar="[NAME]")
@click.pass_obj
def command(call: Call, model: str | None) -> Answer:
    if model is None:
        models = call.run(list_models)
        return Answer({"models": [row.json() for row in models]}, _models(models))
    name = model
    rows = call.run(lambda store: list_versions(store, name))
    facts = {"model": model, "versions": [row.json() for row in rows]}
    return Answer(facts, _versions(rows))


def _models(rows: Sequence[ModelRow]) -> list[Block]:
    if not rows:
        return [line(dim("no model is registered; see proxyctl register"))]
    cells = tuple(
        (
            row.model,
            _held(row),
            short(row.newest.id, row.model),
            str(row.count),
            _others(row),
        )
        for row in rows
    )
    return [Table(("model", PROD, "newest", "versions", "other labels"), cells)]


def _held(row: ModelRow) -> Cell:
    held = row.pins.get(PROD)
    return good(short(held, row.model)) if held else dim("nothing")


def _others(row: ModelRow) -> str:
    others = [(label, held) for label, held in row.pins.items() if label != PROD]
    return ", ".join(f"{label} {short(held, row.model)}" for label, held in others)


def _versions(rows: Sequence[VersionRow]) -> list[Block]:
    headers = ("version", "labels", "eval", "registered", "by", "commit", "parent", "message")
    return [Table(headers, tuple(map(_version, rows)))]


def _version(row: VersionRow) -> tuple[Cell, ...]:
    info = row.info
    return (
        strong(short(info.id, info.model)),
        _labels(row),
        _score(row),
        when(info.at),
        info.meta.by,
        commit(info),
        short(info.meta.parent, info.model) if info.meta.parent else "",
        info.meta.message,
    )


def _score(row: VersionRow) -> Cell:
    proof = row.telling
    if proof is None:
        return ""
    other = row.suite is not None and proof.suite != row.suite
    notes = ["simulated"] * proof.simulated + ["in another suite"] * other
    text = " ".join((f"{proof.score:.3f}", ", ".join(notes))).rstrip()
    return dim(text) if notes else text


def _labels(row: VersionRow) -> Cell:
    if row.revoked is not None:
        return bad(" ".join((*row.labels, "revoked")))
    return good(" ".join(row.labels))


def commit(info: VersionInfo) -> str:
    """Write a version's commit as people do; a + says that the tree was not clean."""
    meta = info.meta
    return f"{meta.commit[:10]}{'+' if meta.dirty else ''}" if meta.commit else ""

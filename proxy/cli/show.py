"""`proxyctl show`: one version whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import (
    Answer,
    Block,
    Cell,
    Table,
    Verbatim,
    dim,
    good,
    line,
    strong,
    warning,
    when,
)
from proxy.cli.versions import commit
from proxy.control.catalog import Shown, show
from proxy.control.results import Proof

HELP = """\
Show one version whole: where it comes from, its results and which pins they
approved, and everything in it.

Settings at their default are left out. Stored bytes that do not have their
digest are not shown (version_corrupt). For what a vendor would be sent, see
render; for files, checkout; for the cases of two results, compare.

examples:
  proxyctl show recommender v7
  proxyctl show recommender prod --json
"""

_PARTS = ("system", "messages", "user", "tools")


@click.command("show", cls=Verb, help=HELP, short_help="Show one version whole.")
@click.argument("model", metavar="NAME")
@click.argument("version", metavar="VERSION")
@click.pass_obj
def command(call: Call, model: str, version: str) -> Answer:
    shown = call.run(lambda store: show(store, model, version))
    return Answer(shown.json(), tuple(_page(shown)))


def _page(shown: Shown) -> Iterator[Block]:
    info = shown.info
    yield line(strong(info.id), dim(f"  {info.digest}"))
    yield line(f"registered {when(info.at)} by {info.meta.by}")
    if info.meta.commit:
        yield line(f"commit {commit(info)}")
    if info.meta.parent:
        yield line(f"parent {info.meta.parent}")
    if info.meta.message:
        yield line(f"message {info.meta.message}")
    if shown.evals:
        yield from (line(), _evals(shown.evals))
    content: dict[str, Any] = shown.json()["content"]
    settings = {key: value for key, value in content.items() if key not in (*_PARTS, "schema")}
    parts = {part: content[part] for part in _PARTS if part in content}
    for name, value in {**settings, **parts}.items():
        yield from _block(name, value)


def _evals(proofs: Sequence[Proof]) -> Table:
    headers = ("eval", "score", "cases", "suite", "from", "by", "when", "approved")
    return Table(headers, tuple(map(_eval, proofs)))


def _eval(proof: Proof) -> tuple[Cell, ...]:
    approved = ", ".join(f"{pin.label} at epoch {pin.epoch}" for pin in proof.approved)
    return (
        proof.pointer,
        f"{proof.score:.3f}",
        str(proof.cases),
        proof.suite[:19],
        warning("simulated") if proof.simulated else proof.source,
        proof.by,
        when(proof.at),
        good(approved),
    )


def _block(name: str, value: Any) -> Iterator[Block]:
    yield line()
    yield line(strong(name))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    yield Verbatim(text)

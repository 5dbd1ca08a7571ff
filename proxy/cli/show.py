"""`proxyctl show`: one version whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import Answer, Block, Verbatim, dim, line, strong, when
from proxy.cli.versions import commit
from proxy.control.catalog import Shown, show

HELP = """\
Show one version whole: where it comes from, and everything in it.

Settings at their default are left out. Stored bytes that do not have their
digest are not shown (version_corrupt). For what a vendor would be sent, see
render; for files, checkout.

examples:
  proxyctl show recommender v7
  proxyctl show recommender prod --json
"""

_PARTS = ("system", "messages", "tools")


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
    content: dict[str, Any] = shown.json()["content"]
    settings = {key: value for key, value in content.items() if key not in (*_PARTS, "schema")}
    parts = {part: content[part] for part in _PARTS if part in content}
    for name, value in {**settings, **parts}.items():
        yield from _block(name, value)


def _block(name: str, value: Any) -> Iterator[Block]:
    yield line()
    yield line(strong(name))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    yield Verbatim(text)

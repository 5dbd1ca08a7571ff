"""`proxyctl diff`: what changed between two versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import Answer, Block, Diff, Table, bad, dim, good, line, short, strong
from proxy.control.catalog import Compared, diff

HELP = """\
Show what changed between two versions of a model: the prompt, the few-shot
messages and the user's message line by line, settings field by field, tools
by name.

Either side may be `files`: what the model's folder holds now, registered or
not. This registers nothing.

examples:
  proxyctl diff recommender v6 v7
  proxyctl diff recommender prod files
"""


@click.command("diff", cls=Verb, help=HELP, short_help="Show what changed between versions.")
@click.argument("model", metavar="NAME")
@click.argument("before", metavar="VERSION")
@click.argument("after", metavar="VERSION")
@click.pass_obj
def command(call: Call, model: str, before: str, after: str) -> Answer:
    settings = call.settings(only=frozenset({"store", "models"}))
    folder = settings.models.dir
    compared = call.run(
        lambda store: diff(store, model, before, after, models_dir=folder), settings
    )
    return Answer(compared.json(), tuple(_page(compared)))


def _page(compared: Compared) -> Iterator[Block]:
    model, difference = compared.model, compared.difference
    yield line(
        strong(model),
        f"  {short(compared.before, model)} → {short(compared.after, model)}",
    )
    if difference.is_empty:
        yield line(dim("the same content"))
    if difference.fields:
        yield line()
        rows = ((f.field, bad(_value(f.before)), good(_value(f.after))) for f in difference.fields)
        yield Table(("field", "before", "after"), tuple(rows))
    if difference.system:
        yield from _part("system", difference.system)
    if difference.user:
        yield from _part("user", difference.user)
    for message in difference.messages:
        yield from _part(f"message {message.number} {message.change}", message.diff)
    for tool in difference.tools:
        yield from _part(f"tool {tool.name} {tool.change}", tool.diff)
    if difference.tools_reordered:
        yield from (line(), line(strong("the order of the tools changed")))


def _part(title: str, text: str) -> Iterator[Block]:
    yield from (line(), line(strong(title)), Diff(text))


def _value(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)

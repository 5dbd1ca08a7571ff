"""`proxyctl render`: what the vendor would be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import REFUSED, Answer, Block, Verbatim, bad, dim, line, strong
from proxy.control.render import SAMPLE_TEXT, RenderReport, render

HELP = f"""\
Show the body that a vendor would be sent, in each dialect, for an app that
says "{SAMPLE_TEXT}" (or --text) and nothing else. It is composed as the proxy does it.

No vendor is called. Values for the version's variables are given with --var;
required ones must be. The exit status is 1 if no dialect can carry it.

examples:
  proxyctl render recommender v7
  proxyctl render recommender prod --var shop=Alpine --dialect openai.chat
"""


@click.command("render", cls=Verb, help=HELP, short_help="Show what a vendor would be sent.")
@click.argument("model", metavar="NAME")
@click.argument("version", metavar="VERSION")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable.")
@click.option("--dialect", metavar="DIALECT", help="Only this one.")
@click.option("--text", default=SAMPLE_TEXT, metavar="TEXT", help="What the app says.")
@click.pass_obj
def command(
    call: Call,
    model: str,
    version: str,
    variables: tuple[str, ...],
    dialect: str | None,
    text: str,
) -> Answer:
    values = dict(_pair(variable) for variable in variables)
    report = call.run(
        lambda store: render(store, model, version, variables=values, dialect=dialect, text=text)
    )
    failed = all(one.error is not None for one in report.rendered)
    return Answer(report.json(), tuple(_page(report)), status=REFUSED if failed else 0)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError("--var takes NAME=VALUE")
    return name, value


def _page(report: RenderReport) -> Iterator[Block]:
    yield line(strong(report.info.id), dim(f"  {report.info.digest}"))
    for one in report.rendered:
        yield line()
        yield line(strong(one.dialect), dim(f"  POST {one.path}"))
        if one.error is not None:
            yield line(bad(f"  {one.error.message} [{one.error.code}]"))
        else:
            yield Verbatim(json.dumps(one.body, ensure_ascii=False, indent=2))

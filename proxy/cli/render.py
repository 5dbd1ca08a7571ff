"""`proxyctl render`: what the vendor would be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from proxy.cli.command import Call, Verb
from proxy.cli.page import REFUSED, Answer, Block, Verbatim, bad, dim, line, strong
from proxy.control.render import SAMPLE_TEXT, RenderReport, render
from proxy.versions.variables import Given, Value, Written

HELP = f"""\
Show the body that a vendor would be sent, in each dialect, for an app that
says "{SAMPLE_TEXT}" (or --text) and nothing else; where the version makes the user's
message, it says nothing. It is composed as the proxy does it.

No vendor is called. VERSION may be `files`: what the model's folder holds now.
Values for the version's variables are given with --var, as texts that are
read as the declared type, and with --vars, a file with a JSON object; --var
wins. Required ones must be given. The exit status is 1 if no dialect can
carry it.

examples:
  proxyctl render recommender v7
  proxyctl render recommender prod --var shop=Alpine --dialect openai.chat
  proxyctl render recommender files --vars values.json
"""

# As much as an app may send in variables and more than anybody reads.
_MAX_BYTES = 2**20


@click.command("render", cls=Verb, help=HELP, short_help="Show what a vendor would be sent.")
@click.argument("model", metavar="NAME")
@click.argument("version", metavar="VERSION")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable.")
@click.option(
    "--vars",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Variables, as a JSON object.",
)
@click.option("--dialect", metavar="DIALECT", help="Only this one.")
@click.option("--text", metavar="TEXT", help="What the app says.")
@click.pass_obj
def command(
    call: Call,
    model: str,
    version: str,
    variables: tuple[str, ...],
    file: Path | None,
    dialect: str | None,
    text: str | None,
) -> Answer:
    pairs = (_pair(variable) for variable in variables)
    values: dict[str, Given] = dict(_read(file)) if file is not None else {}
    values |= {name: Written(value) for name, value in pairs}
    settings = call.settings(only=frozenset({"store", "models"}))
    folder = settings.models.dir
    report = call.run(
        lambda store: render(
            store,
            model,
            version,
            models_dir=folder,
            variables=values,
            dialect=dialect,
            text=text,
        ),
        settings,
    )
    status = REFUSED if report.is_refused else 0
    return Answer(report.json(), tuple(_page(report)), status=status)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError("--var takes NAME=VALUE")
    return name, value


def _read(file: Path) -> dict[str, Value]:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MAX_BYTES)
        return msgspec.json.decode(raw, type=dict[str, Value])
    except OSError:
        raise click.UsageError(f"{file} cannot be read") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise click.UsageError(
            "--vars takes a JSON object of strings, numbers and booleans"
        ) from None


def _page(report: RenderReport) -> Iterator[Block]:
    yield line(strong(report.subject.name), dim(f"  {report.subject.digest}"))
    for one in report.rendered:
        yield line()
        yield line(strong(one.dialect), dim(f"  POST {one.path}"))
        if one.error is not None:
            hint = f" ({one.error.hint})" if one.error.hint else ""
            yield line(bad(f"  {one.error.message}{hint} [{one.error.code}]"))
        else:
            for name, value in one.headers:
                yield line(dim(f"  {name}: {value}"))
            yield Verbatim(json.dumps(one.body, ensure_ascii=False, indent=2))

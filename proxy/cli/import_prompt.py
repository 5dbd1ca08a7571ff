"""`proxyctl import`: what is kept elsewhere becomes files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import Answer, Block, dim, line, strong, warning
from proxy.control.import_prompt import ImportReport, Wish, import_prompt

HELP = """\
Make the files of a model of a prompt that is stored elsewhere.

SOURCE is openai-prompt. FILE is JSON: what OpenAI's dashboard shows of a
prompt, the body of a request that says the same, or a response to a call by
prompt. docs/migrate-openai-prompts.md says how to come by one.

What is not understood is listed with its line, and nothing is written; with
--partial it is left out. A folder that holds a model is not touched without
--force. This registers nothing and calls nobody.

examples:
  proxyctl import openai-prompt prompt.json --name support
  proxyctl import openai-prompt prompt.json --name support --partial --force
"""


@click.command("import", cls=Verb, help=HELP, short_help="Make files of a prompt kept elsewhere.")
@click.argument("source", metavar="SOURCE", type=click.Choice(["openai-prompt"]))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", metavar="NAME", help="The model's; else the prompt's own name.")
@click.option("--vendor", default="openai", metavar="NAME", help="A key of [vendors].")
@click.option("--vendor-model", metavar="ID", help="Where the file names none, or another.")
@click.option("--partial", is_flag=True, help="Leave out what is not understood.")
@click.option("--force", is_flag=True, help="Overwrite the files of a model.")
@click.pass_obj
def command(
    call: Call,
    source: str,
    file: Path,
    name: str | None,
    vendor: str,
    vendor_model: str | None,
    partial: bool,
    force: bool,
) -> Answer:
    settings = call.settings(only=frozenset({"models"}))
    wish = Wish(name, vendor, vendor_model, partial=partial, force=force)
    report = import_prompt(file, settings.models.dir, wish)
    return Answer(report.json(), tuple(_page(report)))


def _page(report: ImportReport) -> Iterator[Block]:
    yield line(strong(str(report.folder)))
    for name in report.written:
        yield line(f"  written  {name}")
    for name in report.removed:
        yield line(f"  removed  {name}")
    for problem in report.left_out:
        yield line(warning(f"  left out {problem}"))
    yield line()
    yield line(f"then  proxyctl register {report.model}")
    if report.prompt_id:
        yield line(dim("and in proxy.toml, so that apps need not change what they send:"))
        yield line(dim("  [models.prompts]"))
        yield line(dim(f'  {report.prompt_id} = "{report.model}"'))

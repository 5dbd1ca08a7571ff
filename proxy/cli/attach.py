"""`proxyctl attach`: a result that was made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from proxy.cli.command import Call, Verb
from proxy.cli.eval_page import cases_table, gate_lines, verdict
from proxy.cli.options import acting
from proxy.cli.page import Answer, Block, dim, good, line, strong
from proxy.control.act import Act
from proxy.control.attach import CURRENT, GATE, AttachReport, attach
from proxy.control.catalog import FILES

HELP = """\
Keep a result that another tool made with the version that it is about.

FILE is what promptfoo writes (--output results.json), JUnit XML, or plain
JSON: {"cases": [{"name": "greets", "score": 1}]}. Which tool made it and the
digest of the file are kept.

Without VERSION, or with `files`, it is about what the folder holds now; with
--digest about content that has no number yet. What it answers is a suite of
its own, made of the names of its cases. --suite current says that it answers
the one in evals.toml of the files here, which the gate then follows as after
eval; --suite gate, the one that the gate in force asks for, whatever the files
say. That is your word, since nothing here has seen what was asked; but it has
to have a result for each case, by its name. This evaluates and pins nothing.

examples:
  proxyctl attach recommender v7 --file junit.xml
  proxyctl attach recommender --file results.json --suite current
"""


@click.command("attach", cls=Verb, help=HELP, short_help="Keep a result made elsewhere.")
@click.argument("model", metavar="NAME")
@click.argument("version", required=False, metavar="[VERSION]")
@click.option(
    "--file",
    "file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The result: JSON or XML.",
)
@click.option(
    "--suite", metavar="SUITE", help=f"The suite it answers: {CURRENT}, {GATE}, or a digest."
)
@click.option("--digest", metavar="DIGEST", help="Of the content, where it has no number.")
@acting
@click.pass_obj
def command(
    call: Call,
    model: str,
    version: str | None,
    file: Path,
    suite: str | None,
    digest: str | None,
    act: Act,
) -> Answer:
    if version is not None and digest is not None:
        raise click.UsageError("give VERSION or --digest, not both")
    settings = call.settings(only=frozenset({"store", "models"}))
    reference = version or digest or FILES
    report = call.run(
        lambda store: attach(store, settings.models.dir, model, reference, file, act, suite=suite),
        settings,
        operation=act.operation,
    )
    return Answer(report.json(), tuple(_page(report)))


def _page(report: AttachReport) -> Iterator[Block]:
    result = report.result
    done = good("  kept") if report.created else dim("  was kept before")
    yield line(strong(result.pointer), done, f"  {report.version.name}")
    yield line(f"from {result.source}, suite {result.suite[:19]}…")
    yield line()
    yield cases_table(result, report.standing.comparison)
    yield line()
    yield from verdict(result, report.standing, gated=report.gated)
    yield from gate_lines(report.gate)

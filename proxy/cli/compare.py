"""`proxyctl compare`: which of two versions is better, and at what."""

from __future__ import annotations

from collections.abc import Iterator

import click

from proxy.cli.command import Call, Verb
from proxy.cli.eval_page import SIMULATED, compared_table, overall, score_line
from proxy.cli.page import Answer, Block, dim, line, short, strong, warning
from proxy.control.compare import CompareReport, compare
from proxy.control.suite_files import find_suite

HELP = """\
Compare the newest results of two versions, case by case: what got worse, what
got better, and what is within the noise that repeats and cases show.

Either may be `files`, a label, or a digest. Both must have a result in one
suite: that of evals.toml if they have, else the newest that they share, or the
one named with --suite. This evaluates nothing; see eval. What differs in the
versions themselves is shown by diff.

examples:
  proxyctl compare recommender v6 v7
  proxyctl compare recommender prod files --markdown
"""


@click.command("compare", cls=Verb, help=HELP, short_help="Compare two versions' results.")
@click.argument("model", metavar="NAME")
@click.argument("before", metavar="VERSION")
@click.argument("after", metavar="VERSION")
@click.option("--suite", metavar="DIGEST", help="Results in this suite.")
@click.pass_obj
def command(call: Call, model: str, before: str, after: str, suite: str | None) -> Answer:
    settings = call.settings(only=frozenset({"store", "models"}))
    folder = settings.models.dir
    files = find_suite(folder / model) if suite is None else None
    current = files.suite.digest if files is not None else None
    report = call.run(
        lambda store: compare(store, folder, model, before, after, suite=suite, current=current),
        settings,
    )
    return Answer(report.json(), tuple(_page(report)))


def _page(report: CompareReport) -> Iterator[Block]:
    comparison, model = report.comparison, report.model
    old, new = (short(one.name, model) for one in (report.before, report.after))
    yield line(strong(model), f"  {old} → {new}", dim(f"  suite {comparison.after.suite[:19]}…"))
    if comparison.before.simulated or comparison.after.simulated:
        yield line(warning(SIMULATED))
    yield line()
    yield compared_table(comparison, "before", "after")
    yield line()
    yield score_line("before", comparison.before)
    yield score_line("after", comparison.after)
    yield overall(comparison)

"""`proxyctl checkout`: a version back to files."""

from __future__ import annotations

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import Answer, Line, dim, line, strong
from proxy.control.checkout import CheckoutReport, check_out

HELP = """\
Make the files of a model say what a version says, for example what is live
after a rollback: commit them, and the next pipeline run changes nothing.

Files that say the same already keep their comments; evals.toml and unknown
files are not touched. If the folder holds something that is not registered it
would be lost, so nothing is changed without --force. This pins nothing.

examples:
  proxyctl checkout recommender prod
  proxyctl checkout recommender v6 --force
"""


@click.command("checkout", cls=Verb, help=HELP, short_help="Make files of a version.")
@click.argument("model", metavar="NAME")
@click.argument("version", metavar="VERSION")
@click.option("--force", is_flag=True, help="Overwrite what is not registered.")
@click.pass_obj
def command(call: Call, model: str, version: str, force: bool) -> Answer:
    settings = call.settings(only=frozenset({"store", "models"}))
    report = call.run(
        lambda store: check_out(store, settings.models.dir, model, version, force=force), settings
    )
    return Answer(report.json(), _page(report))


def _page(report: CheckoutReport) -> list[Line]:
    page = [line(strong(str(report.folder)), f" says {report.info.id}")]
    page += [line(f"  written  {name}") for name in report.written]
    page += [line(f"  removed  {name}") for name in report.removed]
    if not report.written and not report.removed:
        page.append(line(dim("  it did already; nothing was changed")))
    return page

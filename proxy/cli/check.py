"""`proxyctl check`: would it work?"""

from __future__ import annotations

from time import monotonic

import click

from proxy.cli.command import Call, Verb
from proxy.cli.page import DONE, REFUSED, Answer, Cell, Span, Table
from proxy.control.check import CheckReport, Level, check

HELP = """\
Look at everything that a pin, a rollback or a request needs: settings, store,
pinned versions, the way back, files, vendor keys and vendor models.

It changes nothing. Live proxies are asked whether they could serve what is
pinned and what a rollback would go to, with their own vendors and keys; where
none is live, this looks with the settings and keys that it finds here.

Vendors are asked for their list of models; no tokens are spent. One whose list
lacks a model that is needed, or that refuses the key, is red; one that is away
or has no list is yellow. The exit status is 1 if anything is red.

examples:
  proxyctl check
  proxyctl check --json
"""


@click.command("check", cls=Verb, help=HELP, short_help="Would it work? Store, keys, vendors.")
@click.pass_obj
def command(call: Call) -> Answer:
    settings = call.settings()
    report = call.run(lambda store: check(store, settings, call.env, monotonic), settings)
    return Answer(report.json(), (findings_table(report),), status=DONE if report.ok else REFUSED)


def findings_table(report: CheckReport) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for finding in report.findings:
        hint = f" ({finding.hint})" if finding.hint else ""
        level = str(finding.level)
        rows.append((_styled(finding.level, level), finding.what, f"{finding.message}{hint}"))
    return Table(("", "what", ""), tuple(rows))


def _styled(level: Level, text: str) -> Span:
    match level:
        case Level.GREEN:
            return Span(text, "good")
        case Level.YELLOW:
            return Span(text, "warning")
        case Level.RED:
            return Span(text, "bad")

"""`proxyctl verify-deploy`: is what runs what was committed?"""

from __future__ import annotations

import click

from proxy.cli.check import findings_table
from proxy.cli.command import Call, Verb
from proxy.cli.options import labelled
from proxy.cli.page import DONE, REFUSED, Answer
from proxy.control.references import require_label
from proxy.control.verify_deploy import verify_deploy

HELP = """\
Compare what is pinned with what was committed. The last step of a deployment.

Red, and exit status 1: something is pinned that has no commit, comes from files
that were not committed, or was set by hand; or the files here were never
registered. Yellow: a pin that was forced and not ratified, a commit that this
repository does not have. It does not ask whether the files here are what is
pinned: after a rollback they are not, and should not be.

examples:
  proxyctl verify-deploy
  proxyctl verify-deploy --label staging --json
"""


@click.command("verify-deploy", cls=Verb, help=HELP, short_help="Is what runs what was committed?")
@labelled
@click.pass_obj
def command(call: Call, label: str) -> Answer:
    require_label(label)
    settings = call.settings(only=frozenset({"store", "models"}))
    report = call.run(
        lambda store: verify_deploy(store, settings.models.dir, label=label), settings
    )
    status = DONE if report.ok else REFUSED
    return Answer(report.json(), (findings_table(report),), status=status)

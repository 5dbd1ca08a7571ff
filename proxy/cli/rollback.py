"""`proxyctl rollback`: back to the version that a label held before."""

from __future__ import annotations

import click

from proxy.cli import moved
from proxy.cli.command import Call, Verb
from proxy.cli.options import acting, labelled, reasoned, waiting
from proxy.cli.page import Answer, short
from proxy.control.act import Act
from proxy.control.back import rollback
from proxy.control.confirm import Wait
from proxy.store.base import Moved

HELP = """\
Go back to the version that the label held before, and revoke the one that is
left, so that the next pipeline run does not bring it back.

The target is the latest earlier holder that is neither current nor revoked:
a second rollback goes further back, never forward. --to names another version
that held the label. Going back works for a frozen model too.

If there is nothing to go back to, nothing is changed and the exit status is 1
(no_rollback_target). This does not change the files under config/models; see
checkout. To reverse a rollback, see undo.

examples:
  proxyctl rollback recommender --reason "answers in French"
  proxyctl rollback recommender --to v4
"""


@click.command("rollback", cls=Verb, help=HELP, short_help="Go back to the version before.")
@click.argument("model", metavar="NAME")
@click.option("--to", metavar="VERSION", help="Go to this earlier holder of the label.")
@labelled
@reasoned
@acting
@waiting
@click.pass_obj
def command(call: Call, model: str, to: str | None, label: str, act: Act, wait: Wait) -> Answer:
    report = call.run(
        lambda store: rollback(store, model, act, wait, label=label, to=to),
        operation=act.operation,
    )
    return moved.answer(report, [_revoked(one) for one in report.moved if one.previous != one.id])


def _revoked(one: Moved) -> str:
    left = short(one.previous, one.model)
    return f"{left} is revoked: it comes back by undo, or by pin --force with a reason"

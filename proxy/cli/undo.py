"""`proxyctl undo`: reverse the last change of a label."""

from __future__ import annotations

import click

from proxy.cli import moved
from proxy.cli.command import Call, Verb
from proxy.cli.options import acting, labelled, reasoned, waiting
from proxy.cli.page import Answer
from proxy.control.act import Act
from proxy.control.back import undo
from proxy.control.confirm import Wait

HELP = """\
Reverse the last change of a label, whatever it was: a pin, a rollback, an undo.

Undoing a rollback also lifts the revocation that it made. Undoing a pin
revokes nothing; to leave a bad version for good, use rollback. The first pin
of a label cannot be undone: a label is never emptied. Models that were pinned
together are undone one by one.

examples:
  proxyctl undo recommender
  proxyctl undo recommender --label staging
"""


@click.command("undo", cls=Verb, help=HELP, short_help="Reverse the last change of a label.")
@click.argument("model", metavar="NAME")
@labelled
@reasoned
@acting
@waiting
@click.pass_obj
def command(call: Call, model: str, label: str, act: Act, wait: Wait) -> Answer:
    report = call.run(
        lambda store: undo(store, model, act, wait, label=label), operation=act.operation
    )
    return moved.answer(report)

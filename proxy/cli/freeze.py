"""`proxyctl freeze` and `proxyctl unfreeze`."""

from __future__ import annotations

import click

from proxy.cli.command import Call, Verb
from proxy.cli.options import acting, reasoned
from proxy.cli.page import Answer, line, strong
from proxy.control.act import Act
from proxy.control.freeze import set_frozen

FREEZE_HELP = """\
Stop forward pins of a model, under every label.

Going back stays possible: rollback, and pins of versions that the label held
before. Freezing twice is not an error. What is served does not change.

examples:
  proxyctl freeze recommender --reason "peak season"
"""

UNFREEZE_HELP = """\
Let forward pins of a model again. Unfreezing twice is not an error.

examples:
  proxyctl unfreeze recommender
"""


@click.command("freeze", cls=Verb, help=FREEZE_HELP, short_help="Stop forward pins of a model.")
@click.argument("model", metavar="NAME")
@reasoned
@acting
@click.pass_obj
def freeze(call: Call, model: str, act: Act) -> Answer:
    return _set(call, model, True, act)


@click.command("unfreeze", cls=Verb, help=UNFREEZE_HELP, short_help="Let forward pins again.")
@click.argument("model", metavar="NAME")
@reasoned
@acting
@click.pass_obj
def unfreeze(call: Call, model: str, act: Act) -> Answer:
    return _set(call, model, False, act)


def _set(call: Call, model: str, frozen: bool, act: Act) -> Answer:
    report = call.run(lambda store: set_frozen(store, model, frozen, act), operation=act.operation)
    said = "is frozen: it goes back only" if frozen else "is not frozen"
    return Answer(report.json(), (line(strong(model), f" {said}"),))

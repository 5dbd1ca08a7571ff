"""`proxyctl`: the program and its verbs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from proxy import __version__
from proxy.cli.command import shared_options
from proxy.cli.program import Program

HELP = """\
Versions of what your LLM calls say: registered, pinned, stamped, rolled back.

Every verb talks to the store directly and needs no running proxy. Exit status:
0 done, 1 refused or failed and nothing changed, 2 wrong usage, 3 swapped but
not confirmed by all in time, 4 outcome unknown (run again with the op-id).
"""

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "serve": "serve.command",
        "up": "up.command",
        "register": "register.command",
        "import": "import_prompt.command",
        "checkout": "checkout.command",
        "versions": "versions.command",
        "show": "show.command",
        "diff": "diff.command",
        "render": "render.command",
        "eval": "evaluate.command",
        "attach": "attach.command",
        "compare": "compare.command",
        "pin": "pin.command",
        "rollback": "rollback.command",
        "undo": "undo.command",
        "status": "status.command",
        "history": "history.history_command",
        "at": "history.at_command",
        "freeze": "freeze.freeze",
        "unfreeze": "freeze.unfreeze",
        "gate": "gate.gate",
        "ratify": "gate.ratify_command",
        "rehearse": "rehearse.command",
        "repair": "repair.command",
        "check": "check.command",
        "verify-deploy": "verify_deploy.command",
    }
)
"""By name, in the order of a day's work: the module in this package and its command. Only the one
that is called is imported: a proxy that serves needs nothing of the others."""

program = Program(
    name="proxyctl",
    help=HELP,
    params=shared_options(),
    verbs=VERBS,
)
program = click.version_option(__version__, prog_name="proxyctl")(program)


def main() -> None:
    """Run `proxyctl` with the arguments of the process; never returns."""
    program.main(prog_name="proxyctl")

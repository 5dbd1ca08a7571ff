"""`proxyctl`: the program and its verbs."""

from __future__ import annotations

import click

from proxy import __version__
from proxy.cli import (
    attach,
    check,
    checkout,
    compare,
    diff,
    evaluate,
    freeze,
    gate,
    history,
    import_prompt,
    pin,
    register,
    rehearse,
    render,
    repair,
    rollback,
    serve,
    show,
    status,
    undo,
    up,
    verify_deploy,
    versions,
)
from proxy.cli.command import shared_options
from proxy.cli.program import Program

HELP = """\
Versions of what your LLM calls say: registered, pinned, stamped, rolled back.

Every verb talks to the store directly and needs no running proxy. Exit status:
0 done, 1 refused or failed and nothing changed, 2 wrong usage, 3 swapped but
not confirmed by all in time, 4 outcome unknown (run again with the op-id).
"""

VERBS = (
    serve.command,
    up.command,
    register.command,
    import_prompt.command,
    checkout.command,
    versions.command,
    show.command,
    diff.command,
    render.command,
    evaluate.command,
    attach.command,
    compare.command,
    pin.command,
    rollback.command,
    undo.command,
    status.command,
    history.history_command,
    history.at_command,
    freeze.freeze,
    freeze.unfreeze,
    gate.gate,
    gate.ratify_command,
    rehearse.command,
    repair.command,
    check.command,
    verify_deploy.command,
)

program = Program(
    name="proxyctl",
    help=HELP,
    params=shared_options(),
    commands={verb.name or "": verb for verb in VERBS},
)
program = click.version_option(__version__, prog_name="proxyctl")(program)


def main() -> None:
    """Run `proxyctl` with the arguments of the process; never returns."""
    program.main(prog_name="proxyctl")

"""From arguments to an exit status: runs a verb, prints what it answers or why it did not."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from proxy.cli.command import Call, write_help
from proxy.cli.page import DONE, REFUSED, UNKNOWN, WRONG_USAGE, Answer
from proxy.cli.printing import (
    Form,
    print_answer,
    print_error,
    print_warnings,
    print_wrong_usage,
)
from proxy.errors import OutcomeUnknown, ProxyError


class Program(click.Group):
    """The group of `verbs`, which are imported when they are asked for: by name, `MODULE.COMMAND`
    in this package. `main` never returns: it exits with the verb's status."""

    def __init__(self, *, verbs: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.verbs = verbs

    def main(  # type: ignore[override]  # click's overloads, which differ in the return type only
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        arguments = sys.argv[1:] if args is None else list(args)
        sys.exit(self._run(arguments or ["--help"], prog_name or "proxyctl", extra))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a day's work."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self.verbs.get(cmd_name)
        return None if place is None else _imported(place)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_help(self.help or "", formatter)

    def _run(self, arguments: list[str], name: str, extra: dict[str, Any]) -> int:
        call = Call(env=dict(os.environ))
        extra = {**extra, "standalone_mode": False, "obj": call}
        try:
            answer = super().main(arguments, name, **extra)
        except click.ClickException as error:
            as_json = "--json" in arguments  # which may not have been read before it went wrong
            print_wrong_usage(error.format_message(), _usage(error), as_json=as_json)
            return WRONG_USAGE
        except click.Abort:
            print_warnings(["interrupted"])
            return REFUSED
        except ProxyError as error:
            print_error(_with_hint(error), _form(call))
            return UNKNOWN if isinstance(error, OutcomeUnknown) else REFUSED
        if not isinstance(answer, Answer):
            return int(answer or DONE)  # help was shown
        print_answer(answer, _form(call))
        return answer.status


def _imported(place: str) -> click.Command:
    module, _, name = place.partition(".")
    command = getattr(import_module(f"proxy.cli.{module}"), name)
    assert isinstance(command, click.Command), place
    return command


def _form(call: Call) -> Form:
    if call.json:
        return "json"
    return "markdown" if call.markdown else "text"


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{context.get_usage()}\n" if context is not None else ""


def _with_hint(error: ProxyError) -> ProxyError:
    if not isinstance(error, OutcomeUnknown):
        return error
    again = f"run the same command again with --op-id {error.operation}"
    hint = f"{again}; {error.hint}" if error.hint else again
    return OutcomeUnknown(error.message, operation=error.operation, hint=hint)

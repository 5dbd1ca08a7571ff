"""Options that several verbs take, read into the values that use cases take."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

import click

from proxy.cli.page import Answer
from proxy.control.act import Act
from proxy.control.confirm import DEFAULT_TIMEOUT_S, NO_WAIT, Wait
from proxy.errors import InvalidArgument
from proxy.versions.record import PROD

Command = Callable[..., Answer]


def acting(function: Command) -> Command:
    """Add --as and --op-id; pass them on as `act`, with what `reasoned` added below it."""

    @wraps(function)
    def with_act(*args: Any, by: str | None, operation: str | None, **rest: Any) -> Answer:
        reason = rest.pop("reason", "")
        act = Act(by or whoami(), operation or secrets.token_hex(8), reason)
        return function(*args, act=act, **rest)

    options = (
        click.option("--op-id", "operation", metavar="ID", help="Do it once under this id."),
        click.option("--as", "by", metavar="WHO", help="Who does it [user@host]."),
    )
    return _with_options(with_act, *options)


def waiting(function: Command) -> Command:
    """Add --timeout, --require and --no-wait; pass them on as `wait`."""

    @wraps(function)
    def with_wait(
        *args: Any, timeout_s: float | None, require: str, no_wait: bool, **rest: Any
    ) -> Answer:
        return function(*args, wait=_wait(timeout_s, require, no_wait), **rest)

    options = (
        click.option("--no-wait", is_flag=True, help="Neither ask the fleet nor wait for it."),
        click.option(
            "--require",
            default="all",
            metavar="all|N",
            help="How many proxies must confirm for exit status 0 [all].",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=float,
            metavar="S",
            help=f"Seconds to wait for the fleet [{DEFAULT_TIMEOUT_S:g}].",
        ),
    )
    return _with_options(with_wait, *options)


reasoned = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the history.")

labelled = click.option(
    "--label", default=PROD, metavar="LABEL", help=f"Which label is meant [{PROD}]."
)


def _with_options(function: Command, *options: Callable[[Command], Command]) -> Command:
    for option in options:
        function = option(function)
    return function


def _wait(timeout_s: float | None, require: str, no_wait: bool) -> Wait:
    if no_wait and (timeout_s is not None or require != "all"):
        raise click.UsageError("--no-wait does not go with --timeout or --require")
    if no_wait:
        return NO_WAIT
    if require != "all" and not (require.isascii() and require.isdigit()):
        raise click.UsageError("--require takes all, or a number of proxies")
    try:
        return Wait(
            DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s,
            None if require == "all" else int(require),
        )
    except InvalidArgument as error:
        raise click.UsageError(error.message) from None


def whoami() -> str:
    """Return `user@host` as the operating system knows them."""
    user = f"uid-{os.getuid()}"
    with suppress(OSError, KeyError):  # a container's user may have no name
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"

"""The options of `eval`: how fast, and who answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from proxy.cli.eval_where import TOKEN_VARIABLE, Where
from proxy.cli.page import Answer
from proxy.control.eval_run import DEFAULT_CONCURRENCY, DEFAULT_TIMEOUT_S, Pace

MOST_AT_ONCE = 256
LONGEST_S = 3600.0

Command = Callable[..., Answer]

_FILE = click.Path(path_type=Path, dir_okay=False)


def paced(function: Command) -> Command:
    """Add --concurrency and --timeout; pass them on as `pace`."""

    @wraps(function)
    def with_pace(*args: Any, concurrency: int, timeout_s: float, **rest: Any) -> Answer:
        return function(*args, pace=Pace(concurrency, timeout_s), **rest)

    options = (
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(0, LONGEST_S, min_open=True),
            default=DEFAULT_TIMEOUT_S,
            metavar="S",
            help=f"Seconds for one answer [{DEFAULT_TIMEOUT_S:g}].",
        ),
        click.option(
            "--concurrency",
            type=click.IntRange(1, MOST_AT_ONCE),
            default=DEFAULT_CONCURRENCY,
            metavar="N",
            help=f"Questions at once [{DEFAULT_CONCURRENCY}].",
        ),
    )
    return _with(with_pace, options)


def placed(function: Command) -> Command:
    """Add --proxy, --token-file, --simulate and --log; pass them on as `where`."""

    @wraps(function)
    def with_where(
        *args: Any,
        proxy: str | None,
        token_file: Path | None,
        simulate: bool,
        log: Path | None,
        **rest: Any,
    ) -> Answer:
        if proxy is not None and (simulate or log is not None):
            raise click.UsageError("--simulate and --log are not for a proxy that runs already")
        where = Where(_base_url(proxy), token_file, simulate, log)
        return function(*args, where=where, **rest)

    options = (
        click.option("--log", type=_FILE, metavar="FILE", help="Add the proxy's log lines to it."),
        click.option("--simulate", is_flag=True, help="Play vendors that have no key."),
        click.option(
            "--token-file",
            type=_FILE,
            metavar="FILE",
            help=f"Holds the token of an app, for --proxy [{TOKEN_VARIABLE}].",
        ),
        click.option("--proxy", metavar="URL", help="Ask this proxy for a registered version."),
    )
    return _with(with_where, options)


def _with(function: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in options:
        function = option(function)
    return function


def _base_url(text: str | None) -> str | None:
    """Return what paths are appended to. An SDK's base URL ends in /v1, which is none of it."""
    if text is None:
        return None
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.username:
        raise click.UsageError("--proxy takes http://HOST:PORT")
    return text.rstrip("/").removesuffix("/v1")

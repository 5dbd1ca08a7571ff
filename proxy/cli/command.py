"""What all verbs share: settings, the store, and the options that stand before or after a verb.

A verb is a click command whose callback takes a `Call` and returns an `Answer`. It prints nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from proxy.errors import InvalidFiles, OutcomeUnknown, Problem, StoreUnavailable, StoreUnsafe
from proxy.settings import Settings
from proxy.settings_file import DEFAULT_FILE, STORE_SECTIONS, load_settings
from proxy.store.base import Store
from proxy.store.url import open_store

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """One invocation: the environment, and the shared options as they are read."""

    env: Mapping[str, str] = field(repr=False)
    json: bool = False
    markdown: bool = False
    store_url: str | None = field(default=None, repr=False)
    config: str | None = None

    def settings(
        self, *, only: frozenset[str] | None = None, flags: Mapping[str, str | None] | None = None
    ) -> Settings:
        """Read file, environment and flags. Raises `InvalidFiles`."""
        file = self.config or self.env.get("PROXY_CONFIG")
        text = _read(file or DEFAULT_FILE, required=bool(file))
        given = {**(flags or {}), "--store": self.store_url}
        return load_settings(text, file or DEFAULT_FILE, self.env, given, only=only)

    def run(
        self,
        work: Callable[[Store], Awaitable[T]],
        settings: Settings | None = None,
        *,
        operation: str | None = None,
    ) -> T:
        """Run `work` with the store that is configured, and close it.

        With `operation`, an interruption is an unknown outcome: the change may have been sent.
        """
        chosen = (settings or self.settings(only=STORE_SECTIONS)).store
        store = open_store(
            chosen.url.get_secret_value(),
            namespace=chosen.namespace,
            password_file=chosen.password_file,
        )
        try:
            return asyncio.run(_with(store, work))
        except (StoreUnavailable, StoreUnsafe) as error:
            raise type(error)(error.message, hint=_and_where(error.hint, store)) from None
        except KeyboardInterrupt:
            if operation is None:
                raise
            message = "interrupted; the change may have been made"
            raise OutcomeUnknown(message, operation=operation) from None


async def _with(store: Store, work: Callable[[Store], Awaitable[T]]) -> T:
    try:
        return await work(store)
    finally:
        await store.close()


def _and_where(hint: str, store: Store) -> str:
    """Say what somebody needs who was woken up."""
    where = f"the store is {store.where}; proxies serve on what they served last"
    return f"{hint}; {where}" if hint else where


def _read(file: str, *, required: bool) -> str | None:
    try:
        return Path(file).read_bytes().decode()
    except FileNotFoundError:
        if not required:
            return None
        raise InvalidFiles([Problem(file, 0, "", "there is no such file")]) from None
    except (OSError, UnicodeDecodeError):
        raise InvalidFiles([Problem(file, 0, "", "cannot be read, or is not UTF-8")]) from None


class Verb(click.Command):
    """A command with the shared options, and help that keeps its lines."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += shared_options()

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_help(self.help or "", formatter)


def write_help(text: str, formatter: click.HelpFormatter) -> None:
    """Write help with its lines as they are: click would fill the paragraphs."""
    formatter.write_paragraph()
    for line in text.rstrip().split("\n"):
        formatter.write(f"  {line}\n" if line else "\n")


def shared_options() -> list[click.Parameter]:
    """Return fresh options that every verb, and the program before it, takes."""
    return [
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_remember("json"),
            help="Answer with one JSON object on stdout.",
        ),
        click.Option(
            ["--markdown"],
            is_flag=True,
            expose_value=False,
            callback=_remember("markdown"),
            help="Answer in Markdown, for a pull request.",
        ),
        click.Option(
            ["--store"],
            metavar="URL",
            expose_value=False,
            callback=_remember("store_url"),
            help="Where versions and pins are kept [PROXY_STORE_URL].",
        ),
        click.Option(
            ["--config"],
            metavar="FILE",
            expose_value=False,
            callback=_remember("config"),
            help=f"Settings [PROXY_CONFIG, or {DEFAULT_FILE} if it is there].",
        ),
    ]


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return a callback that keeps an option in the call, from before or after the verb."""

    def keep(context: click.Context, _: click.Parameter, value: Any) -> None:
        call = context.find_object(Call)
        if call is not None and value:
            setattr(call, name, value)
            if call.json and call.markdown:
                raise click.UsageError("--json does not go with --markdown")

    return keep

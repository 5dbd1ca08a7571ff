"""`proxyctl serve`: run the proxy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.command import Call, Verb
from proxy.cli.printing import print_facts
from proxy.errors import CannotStart
from proxy.settings import Settings

if TYPE_CHECKING:
    from proxy.serve import Bound

HELP = """\
Run the proxy until SIGTERM or SIGINT, then let requests finish and stop. A
second signal does not wait for them.

It follows the store and serves what is pinned. The store may be away: then the
last known good versions are served, from the state directory. One JSON line a
request goes to stdout; with --json, a first line says where it listens.

This registers and pins nothing; see up for a first run.

examples:
  proxyctl serve
  proxyctl serve --config /etc/proxy.toml --listen 127.0.0.1:9000
  python -m proxy
"""

Ready = Callable[["Bound"], None]


def listening(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --listen and --admin."""
    data = click.option("--listen", metavar="HOST:PORT", help="Where apps call [PROXY_LISTEN].")
    admin = click.option(
        "--admin", metavar="HOST:PORT", help="Health and readiness [PROXY_ADMIN_LISTEN]."
    )
    return data(admin(function))


@click.command("serve", cls=Verb, help=HELP, short_help="Run the proxy.")
@listening
@click.pass_obj
def command(call: Call, listen: str | None, admin: str | None) -> int:
    settings = call.settings(flags={"--listen": listen, "--admin": admin})
    return run_proxy(settings, call.env, _say_where if call.json else None)


def _say_where(bound: Bound) -> None:
    print_facts({"data": bound.data, "admin": bound.admin})


def run_proxy(settings: Settings, env: Mapping[str, str], ready: Ready | None) -> int:
    """Serve in this process until told to stop; return the exit status. Raises `CannotStart`."""
    from proxy.serve import serve  # uvloop and the data path: the other verbs need neither

    try:
        return serve(settings, env=env, ready=ready)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise CannotStart(f"the proxy cannot start: {place}{error.strerror}") from None

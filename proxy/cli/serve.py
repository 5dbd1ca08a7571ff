"""`proxyctl serve`: run the proxy."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.command import Call, Verb
from proxy.cli.printing import print_facts
from proxy.errors import CannotStart
from proxy.settings import Settings

if TYPE_CHECKING:
    from proxy.http.sockets import Bound
    from proxy.reload import Reload

HELP = """\
Run the proxy until SIGTERM or SIGINT, then let requests finish and stop. A
second signal does not wait for them. SIGHUP reads the settings again and
serves with them; if something is wrong with them, the old ones stay.

It follows the store and serves what is pinned. The store may be away: then the
last known good versions are served, from the state directory. One JSON line a
request goes to stdout; with --json, a first line says where it listens.

With --takeover it starts beside a proxy that listens on the same addresses,
which it does not stop: send that one SIGTERM when this one is ready. Without,
an address that is taken is an error.

This registers and pins nothing; see up for a first run.

examples:
  proxyctl serve
  proxyctl serve --config /etc/proxy.toml --listen 127.0.0.1:9000
  proxyctl serve --workers 4
  proxyctl serve --takeover
  python -m proxy
"""

ADDRESS_TAKEN = "to replace the proxy that listens there without a gap: proxyctl serve --takeover"

Ready = Callable[["Bound"], None]


def listening(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --listen and --admin."""
    data = click.option("--listen", metavar="HOST:PORT", help="Where apps call [PROXY_LISTEN].")
    admin = click.option(
        "--admin", metavar="HOST:PORT", help="Health, status and metrics [PROXY_ADMIN_LISTEN]."
    )
    return data(admin(function))


@click.command("serve", cls=Verb, help=HELP, short_help="Run the proxy.")
@listening
@click.option("--workers", metavar="N", help="Processes that serve [PROXY_WORKERS, 1].")
@click.option("--takeover", is_flag=True, help="Start beside a proxy that listens there.")
@click.pass_obj
def command(
    call: Call, listen: str | None, admin: str | None, workers: str | None, takeover: bool
) -> int:
    flags = {"--listen": listen, "--admin": admin, "--workers": workers}

    def read() -> Settings:
        return call.settings(flags=flags)

    ready = _say_where if call.json else None
    return run_proxy(read(), call.env, ready, reload=read, takeover=takeover)


def _say_where(bound: Bound) -> None:
    print_facts({"data": bound.data, "admin": bound.admin})


def run_proxy(
    settings: Settings,
    env: Mapping[str, str],
    ready: Ready | None,
    *,
    reload: Reload | None = None,
    takeover: bool = False,
) -> int:
    """Serve until told to stop, in this process or in several; return the exit status.

    Raises `CannotStart`.
    """
    # Here, not above: uvloop and the data path, which the other verbs do not need, and of which
    # a supervisor needs nothing.
    if settings.listen.workers == 1:
        from proxy.serve import serve as run
    else:
        from proxy.workers.supervisor import supervise as run

    try:
        return run(settings, env=env, ready=ready, reload=reload, takeover=takeover)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        hint = ADDRESS_TAKEN if error.errno == errno.EADDRINUSE else ""
        raise CannotStart(f"the proxy cannot start: {place}{error.strerror}", hint=hint) from None

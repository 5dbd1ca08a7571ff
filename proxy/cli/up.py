"""`proxyctl up`: the first run."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from proxy.cli.command import Call, Verb
from proxy.cli.options import whoami
from proxy.cli.printing import print_banner, print_facts, print_warnings
from proxy.cli.serve import Ready, listening, run_proxy
from proxy.cli.simulation import with_simulated
from proxy.cli.welcome import Welcome, facts, page
from proxy.control.act import Act
from proxy.control.first_run import prepare

if TYPE_CHECKING:
    from proxy.serve import Bound

HELP = """\
First run: register what config/models holds, pin what has nothing in prod yet,
and serve. Vendors whose key is missing are played by the simulated vendor,
which needs no account and repeats what it was given.

What prod holds already stays: a rollback is never undone by a start. This
calls no vendor. In production use serve; register and pin in the pipeline.

examples:
  proxyctl up
  OPENAI_API_KEY=... proxyctl up
"""


@click.command("up", cls=Verb, help=HELP, short_help="First run: register, pin, serve.")
@listening
@click.pass_obj
def command(call: Call, listen: str | None, admin: str | None) -> int:
    settings = call.settings(flags={"--listen": listen, "--admin": admin})
    act = Act(whoami(), f"up-{secrets.token_hex(8)}", "first run")
    prepared = call.run(lambda store: prepare(store, settings, act), settings)
    for one in prepared:
        print_warnings(one.registered.warnings)
    models = [one.content.model.id for one in prepared]
    with with_simulated(settings, call.env, models) as (chosen, played):
        welcome = Welcome(prepared, played, chosen, elsewhere=bool(call.store_url or call.config))
        return run_proxy(chosen, call.env, _ready(welcome, as_json=call.json))


def _ready(welcome: Welcome, *, as_json: bool) -> Ready:
    def say(bound: Bound) -> None:
        if as_json:
            print_facts(facts(welcome, bound.data, bound.admin))
        else:
            print_banner(page(welcome, bound.data, bound.admin))

    return say

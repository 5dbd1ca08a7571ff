"""`proxyctl up`: the first run."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from proxy.cli.command import Call, Verb
from proxy.cli.options import whoami
from proxy.cli.printing import print_banner, print_facts, print_warnings
from proxy.cli.serve import Ready, listening, run_proxy
from proxy.cli.welcome import Welcome, facts, page
from proxy.control.act import Act
from proxy.control.first_run import keyless, prepare, simulated

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
    played = keyless(settings, call.env)
    with ExitStack() as stack:
        if played:
            models = [one.content.model.id for one in prepared]
            url = stack.enter_context(_running_vendor(models))
            settings = simulated(settings, played, url)
        welcome = Welcome(prepared, played, settings, elsewhere=bool(call.store_url or call.config))
        return run_proxy(settings, call.env, _ready(welcome, as_json=call.json))


def _ready(welcome: Welcome, *, as_json: bool) -> Ready:
    def say(bound: Bound) -> None:
        if as_json:
            print_facts(facts(welcome, bound.data, bound.admin))
        else:
            print_banner(page(welcome, bound.data, bound.admin))

    return say


@contextmanager
def _running_vendor(models: Sequence[str]) -> Iterator[str]:
    """Run the simulated vendor on a thread and a loop of its own; yield its base URL.

    A server runs its own loop to the end, so the two cannot share one.
    """
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=asyncio.run, args=(_vendor(models, started),), daemon=True)
    thread.start()
    url, loop, stop = started.result()
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _vendor(
    models: Sequence[str],
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]],
) -> None:
    from proxy.simvendor.server import SimulatedVendor  # nobody else needs it

    stop = asyncio.Event()
    try:
        async with SimulatedVendor(auth=False, models=models) as vendor:
            started.set_result((vendor.url, asyncio.get_running_loop(), stop))
            await stop.wait()
    except BaseException as error:
        if not started.done():
            started.set_exception(error)
        raise

"""`proxyctl eval`: how good is this version?"""

from __future__ import annotations

import time

import click

from proxy.cli.command import Call, Verb
from proxy.cli.eval_bar import watch
from proxy.cli.eval_options import paced, placed
from proxy.cli.eval_page import page
from proxy.cli.eval_where import TOKEN_VARIABLE, Where
from proxy.cli.options import acting
from proxy.cli.page import DONE, REFUSED, Answer
from proxy.cli.printing import print_warnings
from proxy.control.act import Act
from proxy.control.catalog import FILES
from proxy.control.eval_run import Pace
from proxy.control.eval_subject import subject
from proxy.control.evaluate import EvalReport, Way, evaluate
from proxy.control.suite_files import read_suite
from proxy.errors import EvalRefused
from proxy.store.base import Store

HELP = f"""\
Ask a version every question in config/models/NAME/evals.toml, score the answers
and keep the result with the version.

Without VERSION, or with `files`, it is what the folder holds now, registered
or not: a result is kept for the content, and the number may come later. It goes
the way of production: a proxy of its own is started for the run, with the
vendors and keys of the settings, and logs as app eval (--log). With --proxy,
one that runs is asked for NAME@vN, with the token of an app that may ask for
versions (--token-file, {TOKEN_VARIABLE}).

A run that was broken off goes on where it was; --fresh begins anew. With
--if-missing a result that is kept is shown, and only what has none is asked. If
the gate compares with prod and the version there has no result yet, it is
evaluated too.

The cases are those of the files here, whatever version is named: their digest
is shown and kept, and scores in two suites are not compared. The gate follows
the files as register has it, but not with --no-gate, nor if the version is not
registered. --check says by the exit status whether the version would pass.

The cases may name Python functions of the folder: those are run here, so
evaluate only what you would run. This calls the vendor, which costs; --simulate
does not, and proves nothing but that it runs. It registers and pins nothing.

examples:
  proxyctl eval recommender
  proxyctl eval recommender v7 --repeats 5
  proxyctl eval recommender --check --no-gate       on a pull request
  proxyctl eval recommender v7 --proxy http://127.0.0.1:8080
"""


@click.command("eval", cls=Verb, help=HELP, short_help="Evaluate a version.")
@click.argument("model", metavar="NAME")
@click.argument("version", required=False, default=FILES, metavar="[VERSION]")
@click.option("--check", is_flag=True, help="Exit with 1 if it would not pass the gate.")
@click.option("--repeats", type=click.IntRange(1, 100), metavar="N", help="Ask each case N times.")
@click.option("--fresh", is_flag=True, help="Forget what an earlier run had.")
@click.option("--if-missing", is_flag=True, help="Ask nothing that a kept result answers.")
@click.option("--no-store", is_flag=True, help="Keep no result and change no gate.")
@click.option("--no-gate", is_flag=True, help="Leave the gate in force as it is.")
@click.option("--no-baseline", is_flag=True, help="Do not evaluate what prod holds.")
@paced
@placed
@acting
@click.pass_obj
def command(
    call: Call,
    model: str,
    version: str,
    check: bool,
    repeats: int | None,
    fresh: bool,
    if_missing: bool,
    no_store: bool,
    no_gate: bool,
    no_baseline: bool,
    pace: Pace,
    where: Where,
    act: Act,
) -> Answer:
    if if_missing and (fresh or no_store or repeats is not None):
        raise click.UsageError("--if-missing is not for --fresh, --no-store or --repeats")
    settings = call.settings()
    opened = where.opened(settings, call.env)

    async def work(store: Store) -> EvalReport:
        files = read_suite(settings.models.dir / model)
        one = await subject(store, settings.models.dir, model, version)
        way = Way(
            opened=opened,
            watch=watch(quiet=call.json),
            notes=settings.state.dir / "evals",
            clock=time.time,
            place=where.place,
            pace=pace,
            repeats=repeats,
            fresh=fresh,
            keep=not no_store,
            gate=not no_gate,
            baseline=not no_baseline,
            if_missing=if_missing,
        )
        return await evaluate(store, one, files, act, way)

    try:
        report = call.run(work, settings)
    except KeyboardInterrupt:
        print_warnings(["what was answered is noted: run it again, and it goes on"])
        raise
    return _answer(report, check=check)


def _answer(report: EvalReport, *, check: bool) -> Answer:
    refused = check and not report.standing.passes
    refusal = EvalRefused(
        f"{report.subject.name} would not pass the gate", hint="the page says what it lacks"
    )
    return Answer(
        report.json(),
        tuple(page(report)),
        status=REFUSED if refused else DONE,
        refusal=refusal if refused else None,
    )

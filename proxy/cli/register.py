"""`proxyctl register`: files become a version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from proxy.cli.command import Call, Verb
from proxy.cli.options import acting
from proxy.cli.page import Answer, Line, dim, good, line, strong
from proxy.cli.register_live import adopt, answer
from proxy.control.act import Act
from proxy.control.folder import model_folders
from proxy.control.register import DryRun, RegisterReport, Source, read_sources, register
from proxy.control.register import dry_run as would_register
from proxy.store.base import Store

HELP = """\
Register what config/models/NAME holds as a version.

The same content is the same version: running this on every build is fine, and
answers with the version that is there ("created": false). Any difference is a
new version with the next number; comments and formatting are none. With --all
every folder is registered. All problems of all files are told at once, and
nothing is registered then.

With --from-live the files are made first, of what apps ask for today through
proxies that pass it on (models.capture): the one way of asking there is, or
the one that was picked; several are listed. Files that are not registered are
not overwritten.

With --dry-run nothing is registered: it says what would be, and all problems.

Who, when, the git commit and the version in prod (the parent) are kept beside
the content. This pins nothing; see pin.

examples:
  proxyctl register recommender --message "warmer tone"
  proxyctl register --all --json
  proxyctl register --all --dry-run                 on a pull request
  proxyctl register recommender --from-live         what apps ask for today
  proxyctl register recommender --from-live --pick 3f9a
  proxyctl register recommender --git-tag           tag the commit by the id
"""

SECTIONS = frozenset({"store", "models", "vendors"})


@click.command("register", cls=Verb, help=HELP, short_help="Make a version of a model's files.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Register every folder.")
@click.option("--message", default="", metavar="TEXT", help="What changed, for people.")
@click.option("--parent", metavar="VERSION", help="What it comes from [what prod holds].")
@click.option("--git-tag", is_flag=True, help="Tag the commit; the files must be in it.")
@click.option("--allow-secrets", is_flag=True, help="Take text that looks like a credential.")
@click.option("--from-live", is_flag=True, help="Make the files of what apps ask for today.")
@click.option("--pick", metavar="KEY", help="Which of several candidates, by its key.")
@click.option("--dry-run", is_flag=True, help="Say what would be registered; change nothing.")
@acting
@click.pass_obj
def command(
    call: Call,
    names: tuple[str, ...],
    everything: bool,
    from_live: bool,
    pick: str | None,
    dry_run: bool,
    message: str,
    parent: str | None,
    git_tag: bool,
    allow_secrets: bool,
    act: Act,
) -> Answer:
    if everything == bool(names):
        raise click.UsageError("give one NAME or more, or --all")
    if (pick is not None and not from_live) or (from_live and (len(names) != 1 or dry_run)):
        raise click.UsageError("--pick goes with --from-live, and that with one NAME")
    if from_live and git_tag:
        raise click.UsageError("files that --from-live makes are in no commit yet")
    settings = call.settings(only=SECTIONS)
    if from_live:
        adopted = call.run(
            lambda store: adopt(
                store, settings, names[0], pick, act, message=message, parent=parent
            ),
            settings,
            operation=act.operation,
        )
        return answer(adopted, names[0])
    models = sorted(set(names)) or model_folders(settings.models.dir)

    async def work(store: Store) -> list[RegisterReport] | list[DryRun]:
        sources = await read_sources(
            settings.models.dir, models, allow_secrets=allow_secrets, git_tag=git_tag
        )
        if dry_run:
            return [await would_register(store, one, settings.vendors) for one in sources]
        return [
            await register(
                store,
                source,
                _own_act(act, source, len(sources)),
                message=message,
                parent=parent,
                tag=git_tag,
                vendors=settings.vendors,
            )
            for source in sources
        ]

    reports = call.run(work, settings, operation=act.operation)
    return _answer(reports, single=len(names) == 1, folder=settings.models.dir)


def _own_act(act: Act, source: Source, count: int) -> Act:
    """Return the act for one of `count` models: an operation id stands for one registration."""
    if count == 1:
        return act
    return Act(act.by, f"{act.operation}.{source.model}", act.reason)


def _answer(
    reports: Sequence[RegisterReport] | Sequence[DryRun], *, single: bool, folder: Path
) -> Answer:
    facts = [report.json() for report in reports]
    nothing = line(dim(f"there is no model in {folder}"))
    return Answer(
        facts[0] if single else {"versions": facts},
        [_line(report) for report in reports] or [nothing],
        warnings=[warning for report in reports for warning in report.warnings],
    )


def _line(report: RegisterReport | DryRun) -> Line:
    if isinstance(report, DryRun):
        if report.known is not None:
            return line(strong(report.known.id), dim("  is registered"))
        return line(strong(report.model), good("  would be a new version"), dim("  nothing done"))
    parent = report.info.meta.parent
    if not report.created:
        return line(strong(report.info.id), dim("  was registered before"))
    return line(
        strong(report.info.id), good("  registered"), dim(f"  after {parent}" if parent else "")
    )

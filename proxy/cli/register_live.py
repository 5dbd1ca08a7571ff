"""`proxyctl register NAME --from-live`: what apps ask for today becomes a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxy.cli.page import Answer, Block, Line, Table, dim, good, line, strong, when
from proxy.control.act import Act
from proxy.control.adopt import Adoptable, adoptable, picked, write_files
from proxy.control.register import RegisterReport, read_source, register
from proxy.settings import Settings
from proxy.store.base import Store


@dataclass(frozen=True, slots=True)
class Adopted:
    """`report` and `chosen` are None where there are several candidates and none was picked."""

    candidates: Sequence[Adoptable]
    chosen: Adoptable | None = None
    files: Sequence[str] = ()
    report: RegisterReport | None = None


async def adopt(
    store: Store,
    settings: Settings,
    model: str,
    pick: str | None,
    act: Act,
    *,
    message: str,
    parent: str | None,
) -> Adopted:
    """Write the files of what was picked, and register them. Raises as `adoptable`, `picked`,
    `write_files` and `register`."""
    found = await adoptable(store)
    chosen = picked(found, pick)
    if chosen is None:
        return Adopted(found)
    models_dir = settings.models.dir
    files = await write_files(store, models_dir, model, chosen)
    source = await read_source(models_dir, model)
    said = message or f"adopted from live traffic of {', '.join(chosen.apps)}"
    report = await register(
        store, source, act, message=said, parent=parent, vendors=settings.vendors
    )
    return Adopted(found, chosen, files, report)


def answer(done: Adopted, model: str) -> Answer:
    candidates = [one.json() for one in done.candidates]
    if done.report is None or done.chosen is None:
        again = line(dim(f"pick one: proxyctl register {model} --from-live --pick KEY"))
        return Answer({"candidates": candidates}, [_table(done.candidates), again])
    facts: dict[str, Any] = {
        **done.report.json(),
        "adopted": done.chosen.json(),
        "files": list(done.files),
    }
    return Answer(facts, _page(done, done.report), warnings=[*_warnings(done.chosen)])


def _table(candidates: Sequence[Adoptable]) -> Table:
    headers = ("key", "requests", "last", "apps", "dialect", "vendor model", "system", "tools")
    return Table(headers, tuple(map(_row, candidates)))


def _row(one: Adoptable) -> tuple[Any, ...]:
    content = one.content
    return (
        strong(one.key),
        str(one.count),
        when(one.last_at),
        ", ".join(one.apps),
        ", ".join(one.dialects),
        f"{content.model.vendor}/{content.model.id}",
        f"{len(content.system)} characters",
        str(len(content.tools)),
    )


def _page(done: Adopted, report: RegisterReport) -> list[Block]:
    said = good("  registered") if report.created else dim("  was registered before")
    page: list[Line] = [line(strong(report.info.id), said)]
    page += [line(f"  written  {name}") for name in done.files]
    return [*page]


def _warnings(chosen: Adoptable) -> list[str]:
    found = []
    if chosen.left_out:
        found.append(f"left to the app, as no part of the version: {', '.join(chosen.left_out)}")
    if chosen.differs:
        found.append(f"the version would send otherwise: {', '.join(chosen.differs)}")
    return found

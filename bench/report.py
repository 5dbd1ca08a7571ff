"""Results files to Markdown: medians over the rounds, ratios, and where the targets stand. Pure."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.goals import FLEET_GOALS, GOALS, OUTAGE_GOALS, START_GOALS, Goal
from bench.tables import (
    COMMAND,
    CONFIRMED,
    LARGE,
    MEMORY,
    OUTAGE,
    SMALL,
    SPENT,
    START,
    STREAM,
    Column,
    Table,
)


@dataclass(frozen=True, slots=True)
class Section:
    """What one command measures. `kinds` of records belong to it; empty: all that no other section
    claims. Its tables stand between marks of its own in a document."""

    name: str
    kinds: frozenset[str]
    goals: tuple[Goal, ...]
    tables: tuple[Table, ...]

    @property
    def begin(self) -> str:
        return f"<!-- {self.name}: begin -->"

    @property
    def end(self) -> str:
        return f"<!-- {self.name}: end -->"


RUN = Section(
    "bench",
    frozenset(),
    GOALS,
    (
        Table("Small requests (1.2 KB), 32 connections", SMALL),
        Table("Streams: 200 at once, 64 chunks at 20 ms", STREAM),
        Table("Requests of 1 MB, 4 connections", LARGE),
        Table("Memory: 1,000 streams held open", MEMORY),
    ),
)
FLEET = Section(
    "bench fleet",
    frozenset({"fleet"}),
    FLEET_GOALS,
    (
        Table("From the swap until all have confirmed", CONFIRMED, sort=False, what="fleet"),
        Table("CPU time", SPENT, sort=False, what="fleet"),
        Table("`proxyctl pin` as a command", COMMAND, sort=False, what="fleet"),
    ),
)
OUTAGES = Section(
    "bench outage",
    frozenset({"outage"}),
    OUTAGE_GOALS,
    (Table("Requests while the store is away", OUTAGE, sort=False, what="store"),),
)
STARTS = Section(
    "bench coldstart",
    frozenset({"coldstart"}),
    START_GOALS,
    (Table("From the start of the process", START, sort=False, what="start"),),
)
SECTIONS = (RUN, FLEET, OUTAGES, STARTS)


@dataclass(frozen=True, slots=True)
class Results:
    """All rounds by target, in the order of their first appearance; machines that they ran on."""

    rounds: dict[str, list[dict[str, Any]]]
    machines: list[dict[str, Any]]

    def median(self, target: str, path: str) -> float | None:
        """Return the median over the rounds of what lies at a dotted path; None if nowhere."""
        found = self.values(target, path)
        return statistics.median(found) if found else None

    def most(self, target: str, path: str) -> float | None:
        """Return the largest over the rounds, of what must never be: None if nowhere."""
        return max(self.values(target, path), default=None)

    def spread(self, target: str, path: str) -> float:
        """Return (largest - smallest) / median."""
        found = self.values(target, path)
        middle = statistics.median(found) if found else 0
        return (max(found) - min(found)) / middle if middle else 0.0

    def values(self, target: str, path: str) -> list[float]:
        found = [_at(record, path) for record in self.rounds.get(target, [])]
        return [value for value in found if isinstance(value, int | float)]

    def ratio(self, target: str, path: str, base: str) -> float | None:
        mine, theirs = self.median(target, path), self.median(base, path)
        return mine / theirs if mine is not None and theirs else None

    def gateways(self) -> list[str]:
        """Return the other gateways that were measured; Envoy's plain router counts as one."""
        return [
            name
            for name, rounds in self.rounds.items()
            if rounds[0]["kind"] == "gateway" or name == "envoy"
        ]


def read(files: Iterable[Path]) -> dict[str, Results]:
    return parse(line for file in files for line in file.read_text().splitlines())


def parse(lines: Iterable[str]) -> dict[str, Results]:
    """Return the results by the name of their section, each with the machines they came from."""
    found: dict[str, Results] = {}
    machine: dict[str, Any] | None = None
    for line in lines:
        record = json.loads(line)
        if "machine" in record:
            machine = record
            continue
        results = found.setdefault(_section_of(record).name, Results({}, []))
        results.rounds.setdefault(record["target"], []).append(record)
        if machine is not None and machine not in results.machines:
            results.machines.append(machine)
    return found


def _section_of(record: Mapping[str, Any]) -> Section:
    return next((one for one in SECTIONS if record.get("kind") in one.kinds), RUN)


def _at(record: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(record, Mapping):
            return None
        record = record.get(step)
    return record


def render(found: Mapping[str, Results]) -> str:
    """Return the whole report: targets, tables, and what to know about the run."""
    shown = [(section, found[section.name]) for section in SECTIONS if section.name in found]
    return "\n\n".join(_rendered(section, results) for section, results in shown)


def written(document: str, found: Mapping[str, Results]) -> str:
    """Return `document` with each section that was measured between its marks, as far as it has
    them. Raises `ValueError` if it has none of those marks."""
    shown = [one for one in SECTIONS if one.name in found and one.begin in document]
    if not shown:
        raise ValueError(f"the document has no marks for {', '.join(found)}")
    for section in shown:
        document = placed(document, section, _rendered(section, found[section.name]))
    return document


def placed(document: str, section: Section, text: str) -> str:
    """Return `document` with `text` between two marks. Raises `ValueError` without them."""
    before, begin, rest = document.partition(section.begin)
    _, end, after = rest.partition(section.end)
    if not begin or not end:
        raise ValueError(f"the document has no {section.begin} … {section.end}")
    return f"{before}{section.begin}\n\n{text}\n\n{section.end}{after}"


def _rendered(section: Section, results: Results) -> str:
    known = section is not RUN or "proxy" in results.rounds
    parts = [_goals(section.goals, results)] if known else []
    parts += [_table(table, results) for table in section.tables]
    parts += [_notes(results)]
    return "\n\n".join(filter(None, parts))


def _table(table: Table, results: Results) -> str:
    columns = table.columns
    first = columns[0].path
    shown = [name for name in results.rounds if results.median(name, first) is not None]
    if not shown:
        return ""
    if table.sort:
        shown.sort(key=lambda name: results.median(name, first) or 0)
    lines = [f"### {table.title}", "", _row([table.what, *_headings(columns)])]
    lines.append(_row(["---", *("---:" for _ in columns)]))
    for name in shown:
        lines.append(_row([name, *(column.cell(results, name) for column in columns)]))
    return "\n".join(lines)


def _headings(columns: Sequence[Column]) -> list[str]:
    return [column.heading for column in columns]


def _goals(goals: Sequence[Goal], results: Results) -> str:
    lines = ["### Targets", "", _row(["what", "target", "measured", ""])]
    lines.append(_row(["---", "---", "---", "---"]))
    for goal in goals:
        value = goal.measured(results)
        if value is None:
            lines.append(_row([goal.what, goal.wanted, "not measured", ""]))
        else:
            verdict = "met" if goal.met(value) else "**missed**"
            lines.append(_row([goal.what, goal.wanted, goal.shown(value), verdict]))
    return "\n".join(lines)


def _notes(results: Results) -> str:
    lines = [_machine(found) for found in results.machines]
    counts = {name: len(rounds) for name, rounds in results.rounds.items()}
    rounds = ", ".join(f"{name} × {count}" for name, count in counts.items())
    spreads = ", ".join(
        f"{name} {results.spread(name, 'small.c32.cpu_us'):.0%}"
        for name in counts
        if results.values(name, "small.c32.cpu_us")
    )
    lines.append(f"Rounds: {rounds}; medians are shown, and of what must not be the most.")
    if spreads:
        lines.append(f"Spread of the CPU time per small request over the rounds: {spreads}.")
    lines += _faults(results)
    return "\n".join(f"- {line}" for line in lines)


def _machine(found: Mapping[str, Any]) -> str:
    about = found["machine"]
    return (
        f"{found['at']}, {about['cpus']} × {about['cpu']}, Linux {about['kernel']}, "
        f"Python {about['python']}, nginx {about['nginx'] or 'not installed'}, "
        f"redis {about.get('redis') or 'not installed'}."
    )


def _faults(results: Results) -> list[str]:
    """Name everything that makes a figure doubtful: errors, wrong answers, lost log lines."""
    found = []
    for name, rounds in results.rounds.items():
        for record in rounds:
            where = f"{name}, round {record['round']}"
            found += [f"{where}: {complaint}" for complaint in _complaints(record)]
    return found


def _complaints(record: Mapping[str, Any]) -> list[str]:
    found = [record["error"]] if "error" in record else []
    for mode, facts in record.items():
        if isinstance(facts, Mapping):
            found += [f"{mode}: {text}" for check in CHECKS if (text := check(facts))]
    return found


def _wrong_statuses(facts: Mapping[str, Any]) -> str:
    runs = [facts, *(facts.get(part, {}) for part in ("c32", "c1", "direct"))]
    wrong = sum(run.get("not_2xx", 0) + run.get("broken", 0) for run in runs)
    return f"{wrong} answers were not 2xx or broke" if wrong else ""


def _miscounted(facts: Mapping[str, Any]) -> str:
    runs = [facts, *(facts.get(part, {}) for part in ("c32", "c1"))]
    uncounted = any(run.get("counted") is False for run in runs)
    return "the vendor saw another number of requests than were answered" if uncounted else ""


CHECKS: tuple[Callable[[Mapping[str, Any]], str], ...] = (
    lambda facts: str(facts.get("error", "")),
    lambda facts: f"broken streams: {facts['wrong']}" if facts.get("wrong") else "",
    lambda facts: "log lines are missing" if facts.get("complete") is False else "",
    lambda facts: f"failed: {facts['reasons']}" if facts.get("reasons") else "",
    lambda facts: f"{n} pins not confirmed by all" if (n := facts.get("unconfirmed")) else "",
    lambda facts: "the fault was not noticed" if facts.get("noticed") is False else "",
    _wrong_statuses,
    _miscounted,
)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

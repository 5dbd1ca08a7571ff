"""Results files to Markdown: medians over the rounds, ratios, and where the targets stand. Pure."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.goals import GOALS

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"


@dataclass(frozen=True, slots=True)
class Results:
    """All rounds by target, in the order of their first appearance; machines that they ran on."""

    rounds: dict[str, list[dict[str, Any]]]
    machines: list[dict[str, Any]]

    def median(self, target: str, path: str) -> float | None:
        """Return the median over the rounds of what lies at a dotted path; None if nowhere."""
        found = self.values(target, path)
        return statistics.median(found) if found else None

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


def read(files: Iterable[Path]) -> Results:
    return parse(line for file in files for line in file.read_text().splitlines())


def parse(lines: Iterable[str]) -> Results:
    results = Results({}, [])
    for line in lines:
        record = json.loads(line)
        if "machine" in record:
            results.machines.append(record)
        else:
            results.rounds.setdefault(record["target"], []).append(record)
    return results


def _at(record: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(record, Mapping):
            return None
        record = record.get(step)
    return record


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and what a target's cell shows: a value times `scale`, or a ratio to `base`."""

    heading: str
    path: str
    digits: int = 0
    scale: float = 1
    base: str = ""
    percent: bool = False

    def cell(self, results: Results, target: str) -> str:
        if self.base:
            value = results.ratio(target, self.path, self.base)
        else:
            value = results.median(target, self.path)
        if value is None:
            return "-"
        return (
            f"{value:.{self.digits}%}" if self.percent else f"{value * self.scale:.{self.digits}f}"
        )


KB_TO_MB = 1 / 1024
US_TO_MS = 1 / 1000

SMALL = (
    Column("CPU µs/request", "small.c32.cpu_us", 1),
    Column("× nginx", "small.c32.cpu_us", 2, base="nginx"),
    Column("× aiohttp", "small.c32.cpu_us", 2, base="bare-aiohttp"),
    Column("requests/s", "small.c32.per_s"),
    Column("× aiohttp", "small.c32.per_s", 2, base="bare-aiohttp"),
    Column("p50 ms", "small.c32.p50_us", 2, US_TO_MS),
    Column("p99 ms", "small.c32.p99_us", 2, US_TO_MS),
    Column("added p50 µs, 1 connection", "small.added_p50_us"),
    Column("added p99 µs", "small.added_p99_us"),
    Column("start s", "small.startup_s", 2),
    Column("noise", "small.c32.noise", 1, percent=True),
)
STREAM = (
    Column("CPU µs/chunk", "stream.cpu_us_chunk", 1),
    Column("× nginx", "stream.cpu_us_chunk", 2, base="nginx"),
    Column("× aiohttp", "stream.cpu_us_chunk", 2, base="bare-aiohttp"),
    Column("first chunk +p50 ms", "stream.added_ttft_p50_us", 2, US_TO_MS),
    Column("+p99 ms", "stream.added_ttft_p99_us", 2, US_TO_MS),
    Column("chunk lag p50 ms", "stream.lag_p50_us", 2, US_TO_MS),
    Column("p99 ms", "stream.lag_p99_us", 2, US_TO_MS),
    Column("streams", "stream.whole"),
    Column("noise", "stream.noise", 1, percent=True),
)
LARGE = (
    Column("CPU µs/request", "large.cpu_us"),
    Column("× nginx", "large.cpu_us", 2, base="nginx"),
    Column("× aiohttp", "large.cpu_us", 2, base="bare-aiohttp"),
    Column("requests/s", "large.per_s"),
    Column("p50 ms", "large.p50_us", 2, US_TO_MS),
    Column("memory after MB", "large.rss_kb", 0, KB_TO_MB),
    Column("noise", "large.noise", 1, percent=True),
)
MEMORY = (
    Column("idle MB", "memory.rss_idle_kb", 1, KB_TO_MB),
    Column("idle CPU ms/s", "memory.idle_us_per_s", 2, US_TO_MS),
    Column("KB/open stream", "memory.rss_stream_kb", 1),
    Column("at 1,000 streams MB", "memory.rss_peak_kb", 1, KB_TO_MB),
)
TABLES = (
    ("Small requests (1.2 KB), 32 connections", SMALL),
    ("Streams: 200 at once, 64 chunks at 20 ms", STREAM),
    ("Requests of 1 MB, 4 connections", LARGE),
    ("Memory: 1,000 streams held open", MEMORY),
)


def render(results: Results) -> str:
    """Return the whole report: targets, tables, and what to know about the run."""
    parts = [_goals(results)] if "proxy" in results.rounds else []
    parts += [_table(title, columns, results) for title, columns in TABLES]
    parts += [_notes(results)]
    return "\n\n".join(filter(None, parts))


def placed(document: str, text: str) -> str:
    """Return `document` with `text` between its two marks. Raises `ValueError` without them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _table(title: str, columns: Sequence[Column], results: Results) -> str:
    first = columns[0].path
    shown = [name for name in results.rounds if results.median(name, first) is not None]
    if not shown:
        return ""
    shown.sort(key=lambda name: results.median(name, first) or 0)
    lines = [f"### {title}", "", _row(["target", *(column.heading for column in columns)])]
    lines.append(_row(["---", *("---:" for _ in columns)]))
    for name in shown:
        lines.append(_row([name, *(column.cell(results, name) for column in columns)]))
    return "\n".join(lines)


def _goals(results: Results) -> str:
    lines = ["### Targets", "", _row(["what", "target", "measured", ""])]
    lines.append(_row(["---", "---", "---", "---"]))
    for goal in GOALS:
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
    rounds = ", ".join(f"{name} {count}" for name, count in counts.items())
    spreads = ", ".join(
        f"{name} {results.spread(name, 'small.c32.cpu_us'):.0%}"
        for name in counts
        if results.values(name, "small.c32.cpu_us")
    )
    lines.append(f"Rounds: {rounds}; medians are shown.")
    if spreads:
        lines.append(f"Spread of the CPU time per small request over the rounds: {spreads}.")
    lines += _faults(results)
    return "\n".join(f"- {line}" for line in lines)


def _machine(found: Mapping[str, Any]) -> str:
    about = found["machine"]
    return (
        f"{found['at']}, {about['cpus']} × {about['cpu']}, Linux {about['kernel']}, "
        f"Python {about['python']}, nginx {about['nginx'] or 'not installed'}."
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
    _wrong_statuses,
    _miscounted,
)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

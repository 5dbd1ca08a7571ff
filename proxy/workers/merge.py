"""One page of metrics from those of all workers. Pure.

Each series gets the label `worker`. A counter never goes back: what a worker counted that is gone
stays in the sum of its successor. A gauge is what the worker says that serves now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from proxy.observe.exposition import described

Series = tuple[str, str]
"""A metric's name, and its labels as they are written between the braces."""


@dataclass(frozen=True, slots=True)
class Page:
    """The metrics of one process: kinds and texts by name, values by series, in their order."""

    kinds: Mapping[str, str]
    values: Mapping[Series, float]
    texts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Page:
        """Read Prometheus' text format as workers write it."""
        kinds: dict[str, str] = {}
        values: dict[Series, float] = {}
        texts: dict[str, str] = {}
        for line in text.splitlines():
            head, _, value = line.rpartition(" ")
            if line.startswith("# HELP "):
                name, _, said = line.removeprefix("# HELP ").partition(" ")
                texts[name] = said
            elif line.startswith("# TYPE "):
                kinds[head.removeprefix("# TYPE ")] = value
            elif head:
                name, _, labels = head.partition("{")
                values[name, labels.removesuffix("}")] = float(value)
        return cls(kinds, values, texts)

    @property
    def counters(self) -> dict[Series, float]:
        found = {name for name, kind in self.kinds.items() if kind == "counter"}
        return {key: value for key, value in self.values.items() if key[0] in found}


@dataclass(slots=True)
class Tally:
    """What workers counted that are gone, by worker."""

    counted: dict[int, dict[Series, float]] = field(default_factory=dict)

    def add(self, worker: int, page: str) -> None:
        """Take the last page of a process that is gone."""
        self.counted[worker] = plus(self.of(worker), Page.read(page).counters)

    def of(self, worker: int) -> Mapping[Series, float]:
        return self.counted.get(worker, {})


def merged(
    serving: Mapping[int, str], others: Iterable[tuple[int, str]], tally: Tally
) -> list[str]:
    """Return the lines of one page: `serving` is by worker the page of the process that serves,
    `others` are those of processes before it that still answer."""
    values = {worker: tally.of(worker) for worker in tally.counted}
    for worker, text in others:
        values[worker] = plus(values.get(worker, {}), Page.read(text).counters)
    kinds: dict[str, str] = {}
    texts: dict[str, str] = {}
    for worker, text in serving.items():
        page = Page.read(text)
        kinds |= page.kinds
        texts |= page.texts
        values[worker] = plus(page.values, values.get(worker, {}))
    rows: dict[str, list[str]] = {}
    for worker, series in sorted(values.items()):
        for key, value in series.items():
            rows.setdefault(key[0], []).append(_row(worker, key, value))
    return [
        line
        for name, kind in kinds.items()
        for line in (*described(name, kind, texts.get(name, "")), *rows.get(name, ()))
    ]


def plus(one: Mapping[Series, float], other: Mapping[Series, float]) -> dict[Series, float]:
    """Return the sums, with the series of `one` first."""
    more = {key: value for key, value in other.items() if key not in one}
    return {**{key: value + other.get(key, 0) for key, value in one.items()}, **more}


def _row(worker: int, series: Series, value: float) -> str:
    name, labels = series
    shown = str(int(value)) if value == int(value) else repr(value)
    return f'{name}{{worker="{worker}"{"," if labels else ""}{labels}}} {shown}'

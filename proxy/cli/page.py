"""What a command answers, before it is printed: facts for scripts and a page for people.

A page is made of plain values, so that a verb decides what is said and `printing` alone decides
how: with colours, without, and with control characters taken out of stored text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from proxy.errors import ProxyError

# Exit statuses; scripts rely on them.
DONE, REFUSED, WRONG_USAGE, NOT_CONFIRMED, UNKNOWN = 0, 1, 2, 3, 4

Style = Literal["", "good", "warning", "bad", "dim", "strong"]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text that means something."""

    text: str
    style: Style = ""


Cell = str | Span


@dataclass(frozen=True, slots=True)
class Line:
    parts: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """A unified diff: lines that begin with `+`, `-` or `@@` are coloured."""

    text: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A text as it is, such as a prompt; each line is indented."""

    text: str


Block = Line | Table | Diff | Verbatim


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's result. `warnings` go to stderr; `status` is the exit status, `refusal` why it
    is not 0 although there is a result."""

    facts: Mapping[str, Any]
    page: Sequence[Block] = ()
    warnings: Sequence[str] = ()
    status: int = DONE
    refusal: ProxyError | None = None


def line(*parts: Cell) -> Line:
    return Line(parts)


def good(text: str) -> Span:
    return Span(text, "good")


def warning(text: str) -> Span:
    return Span(text, "warning")


def bad(text: str) -> Span:
    return Span(text, "bad")


def dim(text: str) -> Span:
    return Span(text, "dim")


def strong(text: str) -> Span:
    return Span(text, "strong")


def short(version: str | None, model: str) -> str:
    """Write an id as people do where the model is known: `v7-a3f9c2`."""
    return version.removeprefix(f"{model}-") if version else "nothing"


def when(at: str) -> str:
    """Write a stored time (UTC) to the second."""
    return at[:19].replace("T", " ")


def ago(seconds: float) -> str:
    """Write how long ago something was, as roughly as people would."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def so_many_proxies(count: int) -> str:
    return f"{count} {'proxy' if count == 1 else 'proxies'}"

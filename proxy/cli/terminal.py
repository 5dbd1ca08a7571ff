"""A page as text: in a terminal with colours and as wide as it is; piped, as plain columns that
never wrap, so that grep and awk work. rich respects NO_COLOR.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import StringIO
from typing import TextIO

from rich import box
from rich.console import Console
from rich.style import Style
from rich.table import Table as RichTable
from rich.text import Text

from proxy.cli.clean import clean
from proxy.cli.page import Block, Cell, Diff, Line, Span, Table, Verbatim

_STYLES = {
    "": Style.null(),
    "good": Style(color="green"),
    "warning": Style(color="yellow"),
    "bad": Style(color="red"),
    "dim": Style(dim=True),
    "strong": Style(bold=True),
}
_DIFF_STYLES = {"+": "good", "-": "bad", "@": "dim"}

_PIPED_WIDTH = 100_000


def render(page: Iterable[Block], stream: TextIO) -> str:
    """Return the page as text for `stream`, with escape sequences only if it is a terminal."""
    terminal = stream.isatty()
    output = StringIO()
    console = Console(
        file=output,
        force_terminal=terminal,
        width=None if terminal else _PIPED_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for block in page:
        console.print(_renderable(block, terminal), soft_wrap=not isinstance(block, Table))
    text = output.getvalue()
    return text if terminal else re.sub(r"[ ]+$", "", text, flags=re.MULTILINE)


def _renderable(block: Block, terminal: bool) -> Text | RichTable:
    match block:
        case Line(parts):
            return Text.assemble(*map(_text, parts))
        case Diff(text):
            return Text("\n").join(_diff_line(one) for one in text.split("\n"))
        case Verbatim(text):
            return Text("\n".join(f"  {one}" for one in clean(text).split("\n")))
        case Table():
            return _table(block, terminal)


def _text(cell: Cell) -> Text:
    span = cell if isinstance(cell, Span) else Span(cell)
    return Text(clean(span.text), _STYLES[span.style])


def _diff_line(one: str) -> Text:
    return Text(clean(one), _STYLES[_DIFF_STYLES.get(one[:1], "")])


def _table(table: Table, terminal: bool) -> RichTable:
    rich = RichTable(
        box=box.SIMPLE_HEAD if terminal else None,
        pad_edge=False,
        show_edge=False,
        padding=(0, 2, 0, 0),
        header_style=_STYLES["strong"],
    )
    for header in table.headers:
        rich.add_column(_text(header), no_wrap=not terminal)
    for row in table.rows:
        rich.add_row(*(_text(_one_line(cell)) for cell in row))
    return rich


def _one_line(cell: Cell) -> Span:
    """Keep a row on one line: a reason may hold line ends."""
    span = cell if isinstance(cell, Span) else Span(cell)
    return Span(" ".join(span.text.split()), span.style)

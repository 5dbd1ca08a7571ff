"""The one place that prints: answers to stdout, warnings and errors to stderr.

In a terminal with colours and as wide as it is; piped, as plain columns that never wrap, so that
grep and awk work. rich respects NO_COLOR. As Markdown it is what a pipeline posts.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any, Literal, TextIO

from rich import box
from rich.console import Console
from rich.style import Style
from rich.table import Table as RichTable
from rich.text import Text

from proxy.cli.clean import clean
from proxy.cli.markdown import markdown
from proxy.cli.page import Answer, Block, Cell, Diff, Line, Span, Table, Verbatim, line, strong
from proxy.errors import Conflict, InvalidFiles, OutcomeUnknown, ProxyError

Form = Literal["text", "json", "markdown"]

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


def print_answer(answer: Answer, form: Form) -> None:
    """Print the facts as one line of JSON, or the page; then why it is refused, to stderr."""
    print_warnings(answer.warnings)
    if form == "json":
        told = {} if answer.refusal is None else {"error": error_facts(answer.refusal)}
        print_facts({**answer.facts, **told})
    elif form == "markdown":
        _write(sys.stdout, markdown(answer.page))
    else:
        _write(sys.stdout, render(answer.page, sys.stdout))
    if answer.refusal is not None:
        _complain(answer.refusal)


def print_warnings(warnings: Iterable[str]) -> None:
    for warning in warnings:
        _write(sys.stderr, f"warning: {clean(warning)}\n")


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print one JSON object to stdout: for verbs that answer while they run."""
    _write(sys.stdout, json.dumps(facts) + "\n")


def print_banner(page: Iterable[Block]) -> None:
    """Print a page to stderr: stdout is for the log of a running proxy."""
    _write(sys.stderr, render(page, sys.stderr))


def print_error(error: ProxyError, form: Form = "text") -> None:
    """Print `proxyctl: MESSAGE [code]` and the hint to stderr; for JSON and Markdown to stdout
    too: who posts what it says should post that it failed."""
    _complain(error)
    if form == "json":
        print_facts({"error": error_facts(error)})
    elif form == "markdown":
        _write(sys.stdout, markdown(map(_complaint, _said(error).splitlines())))


def _complain(error: ProxyError) -> None:
    _write(sys.stderr, clean(_said(error)))


def _said(error: ProxyError) -> str:
    hint = f"hint: {error.hint}\n" if error.hint else ""
    return f"proxyctl: {_message(error)}\n{hint}"


def _complaint(text: str) -> Line:
    return line(strong(text)) if text.startswith("proxyctl: ") else line(text)


def _message(error: ProxyError) -> str:
    if not isinstance(error, InvalidFiles):
        return f"{error.message} [{error.code}]"
    count = len(error.problems)
    problems = "\n".join(f"  {problem}" for problem in error.problems)
    return f"{count} problem{'s' if count != 1 else ''} [{error.code}]\n{problems}"


def error_facts(error: ProxyError) -> dict[str, Any]:
    """Return what scripts are told of `error`."""
    facts: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, Conflict):
        facts["current"] = error.current
    if isinstance(error, OutcomeUnknown):
        facts["operation"] = error.operation
    if isinstance(error, InvalidFiles):
        facts["problems"] = [
            {"file": p.file, "line": p.line, "field": p.field, "message": p.message}
            for p in error.problems
        ]
    return facts


def print_wrong_usage(message: str, usage: str, *, as_json: bool) -> None:
    """Say on stderr what is wrong with the arguments, and how the verb is used."""
    _write(sys.stderr, clean(f"proxyctl: {message}\n{usage}"))
    if as_json:
        print_facts({"error": {"code": "wrong_usage", "message": message, "hint": ""}})


def _write(stream: TextIO, text: str) -> None:
    """Write all of `text`. A reader that went away does not change what was done."""
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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

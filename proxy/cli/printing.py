"""The one place that prints: answers to stdout, warnings and errors to stderr.

As text (`terminal.py`), as JSON for scripts, or as Markdown, which is what a pipeline posts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TextIO

from proxy.cli.clean import clean
from proxy.cli.markdown import markdown
from proxy.cli.page import Answer, Block, Line, line, strong
from proxy.errors import Conflict, InvalidFiles, OutcomeUnknown, ProxyError

Form = Literal["text", "json", "markdown"]


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
    """Return the page as text for `stream`."""
    # rich takes a tenth of a second and eight megabytes, and a proxy that serves prints no page.
    from proxy.cli import terminal

    return terminal.render(page, stream)

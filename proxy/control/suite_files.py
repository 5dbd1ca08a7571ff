"""A model's `evals.toml`, and the Python files that it names.

What is run is what was read: the bytes of a scorer file go into the suite's digest, and those same
bytes are executed, in this process. So the evals of somebody else are somebody else's code.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from proxy.control.bounded_file import read_bytes, read_text
from proxy.errors import InvalidFiles, Problem
from proxy.evals.expectation import Scorer
from proxy.evals.suite import Suite, gate_of, parse, scorer_files
from proxy.versions.evidence import Gate
from proxy.versions.sources import EVALS_FILE, MAX_FILE_BYTES

_MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class SuiteFiles:
    """A suite, and the bytes of its scorer files by name; nothing of them was run yet."""

    folder: Path
    suite: Suite
    scorers: Mapping[str, bytes]


def find_suite(folder: Path) -> SuiteFiles | None:
    """Read the suite in a model's folder; None if there is none. Raises `InvalidFiles`."""
    file = folder / EVALS_FILE
    if not file.is_file():
        return None
    text = _text(file)
    # One that is missing is complained about where it is named.
    named = [name for name in scorer_files(text) if (folder / name).is_file()]
    scorers = {name: _scorer(folder, name) for name in named}
    try:
        return SuiteFiles(folder, parse(text, scorers), scorers)
    except InvalidFiles as error:
        placed = [Problem(f"{folder / p.file}", p.line, p.field, p.message) for p in error.problems]
        raise InvalidFiles(placed, hint=error.hint) from None


def read_suite(folder: Path) -> SuiteFiles:
    """Read the suite in a model's folder. Raises `InvalidFiles`, also if there is none."""
    found = find_suite(folder)
    if found is None:
        problem = Problem(str(folder / EVALS_FILE), 0, "", "the file is missing")
        raise InvalidFiles([problem], hint="docs/evals.md says what goes into it")
    return found


def wanted_gate(folder: Path) -> Gate | None:
    """Return the gate that a model's files ask for; None if they have no evals. Runs nothing.

    Raises `InvalidFiles`.
    """
    found = find_suite(folder)
    return gate_of(found.suite) if found is not None else None


def scorer_names(folder: Path) -> frozenset[str]:
    """Return the names of the files that the evals name, as far as they can be read."""
    try:
        return frozenset(scorer_files(_text(folder / EVALS_FILE)))
    except InvalidFiles:
        return frozenset()


def _text(file: Path) -> str:
    return read_text(file, MAX_FILE_BYTES).replace("\r\n", "\n")


def _scorer(folder: Path, name: str) -> bytes:
    """Read a scorer file, which lies in the model's folder: neither a path nor a link leads out."""
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise InvalidFiles([Problem(str(file), 0, "", "lies outside the model's folder")])
    return read_bytes(file, MAX_FILE_BYTES)


def load_scorers(files: SuiteFiles) -> dict[str, Scorer]:
    """Run the scorer files and return the functions that cases name, by what `python` says there.

    Raises `InvalidFiles` for a file that cannot be run, or lacks a function.
    """
    modules = {name: _module(files.folder / name, code) for name, code in files.scorers.items()}
    expected = (one for case in files.suite.cases for one in case.expect)
    names = {str(one.value) for one in expected if one.kind == "python"}
    return {name: _function(files.folder, modules, name) for name in sorted(names)}


def _module(file: Path, code: bytes) -> ModuleType:
    module = ModuleType(f"scorers_of_{file.parent.name}_{file.stem}".replace("-", "_"))
    module.__file__ = str(file)
    # Where dataclasses and pickle look for what a class refers to.
    sys.modules[module.__name__] = module
    try:
        # The bytes that the digest is over; an import would read the file again.
        exec(compile(code, str(file), "exec"), module.__dict__)  # noqa: S102
    except (Exception, SystemExit) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        words = f"{type(error).__name__}: {said}".rstrip(": ").partition("\n")[0]
        message = f"cannot be run: {words[:_MOST_WORDS]}"
        raise InvalidFiles([Problem(str(file), _line(error, file), "", message)]) from error
    return module


def _line(error: BaseException, file: Path) -> int:
    """Return the last line of `file` on the way to the error; 0 if there is none."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 0 for f in reversed(frames) if f.filename == str(file)), 0)


def _function(folder: Path, modules: Mapping[str, ModuleType], named: str) -> Scorer:
    file, _, name = named.partition(":")
    found = getattr(modules[file], name, None)
    if not callable(found):
        known = (key for key, value in vars(modules[file]).items() if inspect.isfunction(value))
        raise _unusable(folder / file, f"has no function {name}", _alike(name, known))
    if inspect.iscoroutinefunction(found):
        raise _unusable(folder / file, f"{name} is async; it has to return the share itself")
    if not _takes_two(found):
        raise _unusable(folder / file, f"{name} must take the answer's text and the case")
    scorer: Scorer = found
    return scorer


def _alike(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def _unusable(file: Path, message: str, hint: str = "") -> InvalidFiles:
    return InvalidFiles([Problem(str(file), 0, "", message)], hint=hint)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind("", {})
    except TypeError:
        return False
    except ValueError:  # of a built-in one nothing is known
        return True
    return True

"""What `evals.toml` says: the fixed cases, what is expected of each answer, and the gate.

The suite's digest covers the cases and the scorer files that they name, not the gate: what is
demanded may change without making every earlier result say nothing.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from proxy.complaints import Complaint, build, toml_problem
from proxy.errors import InvalidFiles, Problem
from proxy.evals.expectation import PARAMETERS, Expectation, is_schema
from proxy.evals.json_path import is_json_path
from proxy.locate import field_name, line_of, toml_lines
from proxy.versions.evidence import Gate
from proxy.versions.sources import EVALS_FILE

# A suite of ten cases takes seconds, one of a thousand nobody waits for.
MAX_CASES = 1000
MAX_REPEATS = 100
MAX_BYTES = 2**20
MAX_NAME = 200
# Of a regular expression: as long as anybody can read.
MAX_PATTERN = 1000

_SCORER = re.compile(r"([A-Za-z0-9_-]+\.py):([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)

Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Gate(_Strict):
    min_score: Share = 0.0
    max_regression: Share | None = None
    simulated: bool = False


class _Defaults(_Strict):
    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)] = 1


class _Message(_Strict):
    role: Literal["user", "assistant", "system"]
    content: str


class _Expect(_Strict):
    equals: Any = None
    contains: Text | None = None
    not_contains: Text | None = None
    ignore_case: bool = False
    regex: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)] | None = None
    json_schema: dict[str, Any] | None = None
    json_path: Text | None = None
    min: float | None = None
    max: float | None = None
    tool: Text | None = None
    arguments: dict[str, Any] | None = None
    no_tool: Literal[True] | None = None
    min_length: Count | None = None
    max_length: Count | None = None
    max_output_tokens: Count | None = None
    max_latency_ms: Annotated[float, Field(gt=0)] | None = None
    finish_reason: Text | None = None
    python: Text | None = None


class _Case(_Strict):
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    input: Text | None = None
    messages: Annotated[list[_Message], Field(min_length=1)] | None = None
    variables: dict[str, str | int | float | bool] = {}
    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)] | None = None
    expect: Annotated[list[_Expect], Field(min_length=1)]


class _File(_Strict):
    gate: _Gate = _Gate()
    defaults: _Defaults = _Defaults()
    case: Annotated[list[_Case], Field(min_length=1, max_length=MAX_CASES)]


@dataclass(frozen=True, slots=True)
class GateRule:
    """What the file demands; see `versions.evidence.Gate`."""

    min_score: float = 0.0
    max_regression: float | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One question, asked `repeats` times. `messages` are roles with texts; none where the version
    makes the user's message."""

    name: str
    messages: tuple[tuple[str, str], ...]
    expect: tuple[Expectation, ...]
    variables: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class Suite:
    cases: tuple[Case, ...]
    rule: GateRule
    digest: str


def gate_of(suite: Suite) -> Gate:
    """Return the gate that the file asks for."""
    rule, cases = suite.rule, len(suite.cases)
    return Gate(suite.digest, rule.min_score, rule.max_regression, cases, rule.simulated)


def parse(text: str, scorers: Mapping[str, bytes]) -> Suite:
    """Read `evals.toml`; `scorers` are the bytes of the Python files that it names.

    Raises `InvalidFiles` with every problem, by line.
    """
    if len(text.encode()) > MAX_BYTES:
        raise InvalidFiles([Problem(EVALS_FILE, 0, "", f"is larger than {MAX_BYTES} bytes")])
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidFiles([_unparsed(text, error)]) from None
    read, found = build(_File, values, lambda read: _across(read, scorers))
    if read is None:
        lines = toml_lines(text)
        problems = (
            Problem(EVALS_FILE, line_of(lines, path), field_name(path), message)
            for path, message in found
        )
        raise InvalidFiles(sorted(problems, key=lambda p: (p.line, p.field, p.message)))
    cases = tuple(_case(one, read.defaults.repeats) for one in read.case)
    rule = GateRule(read.gate.min_score, read.gate.max_regression, read.gate.simulated)
    return Suite(cases, rule, _digest(cases, scorers))


def _unparsed(text: str, error: Exception) -> Problem:
    if isinstance(error, ValueError):
        return toml_problem(EVALS_FILE, text, error)
    return Problem(EVALS_FILE, 0, "", "is nested too deeply")


def scorer_files(text: str) -> tuple[str, ...]:
    """Return the names of the Python files that the text names, sorted; none if it is no TOML."""
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    return tuple(sorted({match[1] for match in _scorers(values)}))


def _scorers(values: Any) -> Iterator[re.Match[str]]:
    cases = values.get("case") if isinstance(values, dict) else None
    for case in cases if isinstance(cases, list) else []:
        expect = case.get("expect") if isinstance(case, dict) else None
        for one in expect if isinstance(expect, list) else []:
            named = one.get("python") if isinstance(one, dict) else None
            if isinstance(named, str) and (match := _SCORER.fullmatch(named)):
                yield match


# --- what no single field shows


def _across(read: _File, scorers: Mapping[str, bytes]) -> Iterator[Complaint]:
    seen: set[str] = set()
    for index, case in enumerate(getattr(read, "case", ())):
        path = ("case", index)
        if case.name in seen:
            yield (*path, "name"), "is the name of an earlier case too"
        seen.add(case.name)
        if not (case.name.isprintable() and case.name.strip()):
            yield (*path, "name"), "must be printable characters"
        said = (case.input is not None) + (case.messages is not None)
        if said > 1 or not (said or "variables" in case.model_fields_set):
            yield path, "needs either input or messages, or variables alone"
        for number, expect in enumerate(case.expect):
            for message in _wrong(expect, scorers):
                yield (*path, "expect", number), message


def _wrong(expect: _Expect, scorers: Mapping[str, bytes]) -> Iterator[str]:
    given = expect.model_dump(exclude_unset=True)
    kinds = _kinds(given)
    if len(kinds) != 1:
        yield f"expects exactly one of {', '.join(PARAMETERS)}"
        return
    kind = kinds[0]
    for name in given.keys() - {kind} - PARAMETERS[kind]:
        yield f"{name} does not go with {kind}"
    if kind in ("equals", "contains") and not isinstance(given[kind], str):
        yield f"{kind} must be a string"
    if (pattern := given.get("regex")) is not None and not _compiles(pattern):
        yield "regex is no regular expression"
    if kind == "json_path" and not is_json_path(given[kind]):
        yield "json_path is $ with .names and [numbers]"
    if kind == "json_schema" and not is_schema(given[kind]):
        yield "json_schema is no JSON Schema"
    if kind == "python":
        yield from _unscored(given[kind], scorers)


def _unscored(named: str, scorers: Mapping[str, bytes]) -> Iterator[str]:
    match = _SCORER.fullmatch(named)
    if match is None:
        yield "python is a file of this folder and a function: scorers.py:on_brand"
    elif match[1] not in scorers:
        yield f"there is no file {match[1]}"


def _kinds(given: Mapping[str, Any]) -> list[str]:
    """Return the kinds that are given; what belongs to a JSON path is none of its own there."""
    if "json_path" in given:
        rest = given.keys() - PARAMETERS["json_path"]
        return [kind for kind in PARAMETERS if kind in rest]
    return [kind for kind in PARAMETERS if kind in given]


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


# --- what was read


def _case(read: _Case, repeats: int) -> Case:
    messages = tuple((one.role, one.content) for one in read.messages or ())
    if read.input is not None:
        messages = (("user", read.input),)
    expect = tuple(_expectation(one) for one in read.expect)
    return Case(read.name, messages, expect, read.variables, read.repeats or repeats)


def _expectation(read: _Expect) -> Expectation:
    given = read.model_dump(exclude_unset=True)
    (kind,) = _kinds(given)
    options = {name: value for name, value in given.items() if name != kind}
    return Expectation(kind, given[kind], options)


def _digest(cases: tuple[Case, ...], scorers: Mapping[str, bytes]) -> str:
    plain: dict[str, Any] = {
        "cases": [
            {
                "name": case.name,
                "messages": [list(message) for message in case.messages],
                "variables": dict(case.variables),
                "repeats": case.repeats,
                "expect": [[one.kind, one.value, dict(one.options)] for one in case.expect],
            }
            for case in cases
        ],
        "scorers": {name: hashlib.sha256(text).hexdigest() for name, text in scorers.items()},
    }
    return "sha256:" + hashlib.sha256(rfc8785.dumps(plain)).hexdigest()

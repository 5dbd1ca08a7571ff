"""Results that other tools made: promptfoo's JSON, JUnit XML, and a plain JSON of our own.

What a file is shows in its content. Nothing of it is trusted to be small, or to be what it says.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import msgspec
import rfc8785

from proxy.errors import InvalidArgument
from proxy.evals.summary import bounded, result
from proxy.versions.evidence import CaseResult, Result

MAX_BYTES = 20 * 2**20
MAX_CASES = 5000
MAX_NAME = 200
# JSON's numbers are exact up to here, and nobody pays for as many.
MOST_TOKENS = 2**53 - 1

PROMPTFOO, JUNIT, PLAIN = "promptfoo", "junit", "json"

# Entities could make a small file as large as anybody likes; a report needs none.
_DOCTYPE = re.compile(r"<!DOCTYPE|<!ENTITY", re.IGNORECASE)


@dataclass(slots=True)
class _Case:
    """What is collected of one case: a score for each time that it ran."""

    scores: list[float] = field(default_factory=list)
    failed: dict[str, None] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str = ""


_Cases = dict[str, _Case]


def read(raw: bytes, model: str, digest: str, suite: str | None, by: str) -> Result:
    """Return the result in a report. `suite` is the digest of the suite that it answers, if the
    operator says that it is that one; else one is made of the names of its cases.

    Raises `InvalidArgument` for what is no report, or too large for one.
    """
    if len(raw) > MAX_BYTES:
        raise InvalidArgument(f"a report may have {MAX_BYTES} bytes at most")
    source, cases = _collected(raw)
    if not cases:
        raise InvalidArgument("the report has no case that was run")
    if len(cases) > MAX_CASES:
        raise InvalidArgument(f"a report may have {MAX_CASES} cases at most")
    return result(
        model,
        digest,
        suite or _suite(source, cases),
        [_summed(name, case) for name, case in cases.items()],
        by=by,
        source=source,
        raw="sha256:" + hashlib.sha256(raw).hexdigest(),
    )


def _collected(raw: bytes) -> tuple[str, _Cases]:
    if raw.lstrip().startswith(b"<"):
        return JUNIT, _junit(raw)
    try:
        values = json.loads(raw)
    except json.JSONDecodeError as error:
        raise _no_report(f"not JSON, line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise _no_report("neither JSON nor XML in UTF-8") from None
    if isinstance(values, dict) and isinstance(values.get("results"), dict):
        return PROMPTFOO, _checked(_promptfoo, values)
    if isinstance(values, dict) and isinstance(values.get("cases"), list):
        return PLAIN, _checked(_plain, values)
    raise _no_report("JSON, but neither with results.results nor with cases")


def _no_report(found: str) -> InvalidArgument:
    return InvalidArgument(
        f"the file is no report that is known here: it is {found}",
        hint="known are promptfoo's JSON, JUnit XML, and plain JSON; see docs/evals.md",
    )


class _Unusual(Exception):
    """Something in a report that can be said in words of ours."""


def _checked(reader: Callable[[Mapping[str, Any]], _Cases], values: Mapping[str, Any]) -> _Cases:
    try:
        return reader(values)
    except (_Unusual, msgspec.ValidationError) as error:
        raise InvalidArgument(f"the report is not as its tool writes it: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InvalidArgument("the report is not as its tool writes it") from None


def _suite(source: str, cases: Iterable[str]) -> str:
    return "sha256:" + hashlib.sha256(rfc8785.dumps([source, *sorted(cases)])).hexdigest()


def _summed(name: str, case: _Case) -> CaseResult:
    times = [time for time in case.latencies_ms if math.isfinite(time) and time >= 0]
    latency = statistics.fmean(times) if times else None
    return CaseResult(
        name=name,
        score=statistics.fmean(case.scores),
        scores=tuple(case.scores),
        failed=tuple(map(bounded, case.failed)),
        input_tokens=_tokens(case.input_tokens),
        output_tokens=_tokens(case.output_tokens),
        latency_ms=latency,
        error=bounded(case.error),
    )


def _tokens(count: int | None) -> int | None:
    """Return a count that a vendor could have counted; None for any other."""
    return count if count is not None and 0 <= count <= MOST_TOKENS else None


def _share(value: float) -> float:
    """Read a score. Raises `_Unusual` if it is no share."""
    if not 0 <= value <= 1:
        raise _Unusual(f"a score of {value:g}, where shares go from 0 to 1")
    return float(value)


def _name(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text[: 2 * MAX_NAME])
    return bounded(shown.strip()[:MAX_NAME]) or "unnamed"


# --- promptfoo


# What promptfoo calls its format in the files that this was written for (0.118).
_PROMPTFOO = 3


def _promptfoo(values: Mapping[str, Any]) -> _Cases:
    """Read a file of `promptfoo eval --output`: one row for each test, prompt, provider and
    repeat. Where there are several prompts or providers, they are a part of a case's name."""
    results = values["results"]
    if not isinstance(rows := results.get("results"), list):
        version = results.get("version")
        said = f", but version {version}" if isinstance(version, int) else ""
        raise _Unusual(f"no results.results, as of promptfoo's version {_PROMPTFOO} of them{said}")
    variants = {_variant(row) for row in rows}
    cases: _Cases = {}
    for row in rows:
        name = _described(row) + (f" [{_variant(row)}]" if len(variants) > 1 else "")
        _add_row(cases.setdefault(_name(name), _Case()), row)
    return cases


def _variant(row: Mapping[str, Any]) -> str:
    provider = row.get("provider") or {}
    return f"{provider.get('label') or provider.get('id', '')}, prompt {row.get('promptIdx', 0)}"


def _described(row: Mapping[str, Any]) -> str:
    test = row.get("testCase") or {}
    if test.get("description"):
        return str(test["description"])
    return json.dumps(row.get("vars") or {}, ensure_ascii=False)


# What promptfoo writes as the reason where no answer came.
_NO_ANSWER = 2


def _add_row(case: _Case, row: Mapping[str, Any]) -> None:
    score = max(0.0, min(1.0, float(row["score"])))
    if math.isnan(float(row["score"])):
        raise ValueError
    case.scores.append(score)
    if row.get("failureReason") == _NO_ANSWER:
        case.error = "provider_error"
    elif not row["success"]:
        parts = (row.get("gradingResult") or {}).get("componentResults") or []
        for part in parts:
            if part and not part.get("pass"):
                case.failed[_assertion(part.get("assertion") or {})] = None
    if isinstance(row.get("latencyMs"), int | float):
        case.latencies_ms.append(float(row["latencyMs"]))
    usage = (row.get("response") or {}).get("tokenUsage") or {}
    case.input_tokens = _added(case.input_tokens, usage.get("prompt"))
    case.output_tokens = _added(case.output_tokens, usage.get("completion"))


def _assertion(assertion: Mapping[str, Any]) -> str:
    kind, value = assertion.get("type", "assertion"), assertion.get("value")
    return f"{kind} {json.dumps(value, ensure_ascii=False)}" if value is not None else str(kind)


def _added(known: int | None, more: Any) -> int | None:
    if isinstance(more, bool) or not isinstance(more, int) or more < 0:
        return known
    return (known or 0) + more


# --- JUnit XML


def _junit(raw: bytes) -> _Cases:
    """Read a JUnit report: a case is one that passed or failed; one that was skipped is none."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArgument("the report is not UTF-8") from None
    if _DOCTYPE.search(text):
        raise InvalidArgument("a report has no document type and no entities")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  # no entities: this very text was searched
    except (ElementTree.ParseError, ValueError):
        raise InvalidArgument("the report is no well-formed XML") from None
    cases: _Cases = {}
    for element in root.iter("testcase"):
        if element.find("skipped") is None:
            _add_testcase(cases, element)
    return cases


def _add_testcase(cases: _Cases, element: ElementTree.Element) -> None:
    name = ".".join(filter(None, (element.get("classname"), element.get("name"))))
    case = cases.setdefault(_name(name), _Case())
    wrong = next(
        (w for w in (element.find("failure"), element.find("error")) if w is not None), None
    )
    case.scores.append(1.0 if wrong is None else 0.0)
    if wrong is not None:
        words = wrong.get("message") or (wrong.text or "").strip() or wrong.tag
        case.failed[_name(words)] = None
        if wrong.tag == "error":
            case.error = "error"
    try:
        case.latencies_ms.append(float(element.get("time", "")) * 1000)
    except ValueError:
        return


# --- plain JSON


class _PlainCase(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    score: float
    scores: list[float] = []
    failed: list[str] = []
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: float | None = None
    error: str = ""


def _plain(values: Mapping[str, Any]) -> _Cases:
    """Read `{"cases": [{"name": …, "score": …}]}`; what else may be there is in docs/evals.md."""
    cases: _Cases = {}
    for one in msgspec.convert(values["cases"], list[_PlainCase]):
        name = _name(one.name)
        if name in cases:
            raise _Unusual(f"two cases are called {name!r}")
        scores = [_share(score) for score in one.scores or [one.score]]
        _share(one.score)
        latencies = [one.latency_ms] if one.latency_ms is not None else []
        failed = dict.fromkeys(one.failed)
        cases[name] = _Case(
            scores, failed, latencies, one.input_tokens, one.output_tokens, one.error
        )
    return cases

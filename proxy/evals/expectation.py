"""One thing that is expected of an answer, and whether it holds."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.evals.answer import Answer, ToolCall
from proxy.evals.json_path import look_up

PARAMETERS: Mapping[str, frozenset[str]] = {
    "equals": frozenset({"ignore_case"}),
    "contains": frozenset({"ignore_case"}),
    "not_contains": frozenset({"ignore_case"}),
    "regex": frozenset({"ignore_case"}),
    "json_schema": frozenset(),
    "json_path": frozenset({"equals", "regex", "min", "max"}),
    "tool": frozenset({"arguments"}),
    "no_tool": frozenset(),
    "min_length": frozenset(),
    "max_length": frozenset(),
    "max_output_tokens": frozenset(),
    "max_latency_ms": frozenset(),
    "finish_reason": frozenset(),
    "python": frozenset(),
}
"""The kinds of expectations, and what goes with each."""

# A pattern that backtracks takes the longer the more text there is.
SEARCHED_CHARACTERS = 64 * 1024

_QUOTED_CHARACTERS = 60

Scorer = Callable[[str, Mapping[str, Any]], Any]
"""Given the answer's text and the case: a bool, or a share from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """`value` is what belongs to `kind`, `options` what goes with it."""

    kind: str
    value: Any
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.kind == "no_tool":
            return "no tool is called"
        words = [f"{self.kind} {_quoted(self.value)}"]
        words += [f"{name} {_quoted(value)}" for name, value in self.options.items()]
        return " ".join(words)


def _quoted(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTED_CHARACTERS else f"{text[:_QUOTED_CHARACTERS]}…"


@dataclass(frozen=True, slots=True)
class Held:
    """How far an expectation holds, 0 to 1, and what was found instead, if that helps."""

    share: float
    found: str = ""


def holds(
    expected: Expectation,
    answer: Answer,
    case: Mapping[str, Any],
    scorers: Mapping[str, Scorer],
) -> Held:
    """Say how far `expected` holds for `answer`. Never raises for what an answer may be."""
    if expected.kind == "python":
        return _scored(scorers[expected.value], answer, case)
    return _CHECKS[expected.kind](expected, answer)


def _scored(scorer: Scorer, answer: Answer, case: Mapping[str, Any]) -> Held:
    """Run a scorer, which is somebody's code: whatever it raises counts as not held."""
    try:
        returned = scorer(answer.text, case)
    except (Exception, SystemExit) as error:
        return Held(0.0, f"raised {_raised(error)}")
    try:
        share = float(returned)
    except (TypeError, ValueError):
        return Held(0.0, f"returned {_cut(repr(returned))}, which is no share")
    if not 0 <= share <= 1:
        return Held(0.0, f"returned {share:g}, which is no share")
    return Held(share, f"{share:g}")


def _raised(error: BaseException) -> str:
    """Say what was raised, and the line in the file where it came from."""
    *_, last = traceback.extract_tb(error.__traceback__)
    where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
    words = _cut(" ".join(str(error).split()))
    return f"{type(error).__name__} at {where}" + (f": {words}" if words else "")


def _both(expected: Expectation, answer: Answer) -> tuple[str, str]:
    wanted, text = str(expected.value), answer.text
    if expected.options.get("ignore_case"):
        return wanted.casefold(), text.casefold()
    return wanted, text


def _equals(expected: Expectation, answer: Answer) -> Held:
    wanted, text = _both(expected, answer)
    return _yes(text.strip() == wanted.strip())


def _contains(expected: Expectation, answer: Answer) -> Held:
    wanted, text = _both(expected, answer)
    return _yes(wanted in text)


def _not_contains(expected: Expectation, answer: Answer) -> Held:
    wanted, text = _both(expected, answer)
    return _yes(wanted not in text)


def _regex(expected: Expectation, answer: Answer) -> Held:
    flags = re.IGNORECASE if expected.options.get("ignore_case") else 0
    text = answer.text[:SEARCHED_CHARACTERS]
    return _yes(re.search(expected.value, text, flags) is not None)


def _json(text: str) -> tuple[bool, Any]:
    try:
        return True, json.loads(text)
    except (ValueError, RecursionError):
        return False, None


def _json_schema(expected: Expectation, answer: Answer) -> Held:
    # Here only: nobody else needs it, and it takes a tenth of a second to import.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, ValidationError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    readable, value = _json(answer.text)
    if not readable:
        return Held(0.0, "is no JSON")
    try:
        Draft202012Validator.check_schema(expected.value)
        # A registry of its own: nothing that a schema refers to is fetched from anywhere.
        Draft202012Validator(expected.value, registry=Registry()).validate(value)
    except ValidationError as error:
        return Held(0.0, f"at {error.json_path}")
    except (SchemaError, Unresolvable, RecursionError, ArithmeticError):
        return Held(0.0, "the schema cannot be used")
    return Held(1.0)


def is_schema(value: Any) -> bool:
    """Say whether `value` is a JSON Schema."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(value)
    except (SchemaError, RecursionError):
        return False
    return True


def _json_path(expected: Expectation, answer: Answer) -> Held:
    readable, value = _json(answer.text)
    if not readable:
        return Held(0.0, "is no JSON")
    there, found = look_up(expected.value, value)
    if not there:
        return Held(0.0, "is not there")
    return Held(float(_meets(found, expected.options)), _quoted(found))


def _meets(found: Any, options: Mapping[str, Any]) -> bool:
    if "equals" in options and not _same(options["equals"], found):
        return False
    if "regex" in options and (
        not isinstance(found, str)
        or re.search(options["regex"], found[:SEARCHED_CHARACTERS]) is None
    ):
        return False
    limits = "min" in options or "max" in options
    if limits and (isinstance(found, bool) or not isinstance(found, int | float)):
        return False
    low, high = options.get("min"), options.get("max")
    return (low is None or found >= low) and (high is None or found <= high)


def _tool(expected: Expectation, answer: Answer) -> Held:
    wanted = expected.options.get("arguments")
    calls = [call for call in answer.tool_calls if call.name == expected.value]
    if not calls:
        named = ", ".join(sorted({call.name for call in answer.tool_calls}))
        return Held(0.0, f"called {named}" if named else "no tool was called")
    if wanted is None or any(_has_arguments(call, wanted) for call in calls):
        return Held(1.0)
    return Held(0.0, f"called with {_quoted(calls[0].arguments)}")


def _has_arguments(call: ToolCall, wanted: Mapping[str, Any]) -> bool:
    readable, given = _json(call.arguments)
    return readable and _includes(wanted, given)


def _includes(wanted: Any, given: Any) -> bool:
    """Say whether all that is wanted is given: of objects, the fields that are named."""
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(
            name in given and _includes(value, given[name]) for name, value in wanted.items()
        )
    return _same(wanted, given)


def _same(one: Any, other: Any) -> bool:
    """Compare JSON values: 1 is 1.0, and true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _no_tool(_: Expectation, answer: Answer) -> Held:
    names = ", ".join(sorted({call.name for call in answer.tool_calls}))
    return Held(0.0, f"called {names}") if names else Held(1.0)


def _min_length(expected: Expectation, answer: Answer) -> Held:
    length = len(answer.text)
    return Held(float(length >= expected.value), f"was {length}")


def _max_length(expected: Expectation, answer: Answer) -> Held:
    length = len(answer.text)
    return Held(float(length <= expected.value), f"was {length}")


def _max_output_tokens(expected: Expectation, answer: Answer) -> Held:
    if answer.output_tokens is None:
        return Held(0.0, "was not counted")
    return Held(float(answer.output_tokens <= expected.value), f"was {answer.output_tokens}")


def _max_latency_ms(expected: Expectation, answer: Answer) -> Held:
    return Held(float(answer.latency_ms <= expected.value), f"was {answer.latency_ms:.0f}")


def _finish_reason(expected: Expectation, answer: Answer) -> Held:
    return Held(float(answer.finish_reason == expected.value), f"was {answer.finish_reason}")


def _yes(held: bool) -> Held:
    return Held(float(held))


_CHECKS: Mapping[str, Callable[[Expectation, Answer], Held]] = {
    "equals": _equals,
    "contains": _contains,
    "not_contains": _not_contains,
    "regex": _regex,
    "json_schema": _json_schema,
    "json_path": _json_path,
    "tool": _tool,
    "no_tool": _no_tool,
    "min_length": _min_length,
    "max_length": _max_length,
    "max_output_tokens": _max_output_tokens,
    "max_latency_ms": _max_latency_ms,
    "finish_reason": _finish_reason,
}

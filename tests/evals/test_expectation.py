"""Every kind of expectation, held and not held."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.evals.answer import Answer, ToolCall
from proxy.evals.expectation import PARAMETERS, Expectation, holds

JSON = '{"items": [{"price": 9.5, "name": "hat"}], "ok": true}'


def answer(text="Take a jacket.", tools=(), reason="stop", tokens=12, latency_ms=250.0):
    return Answer(text, tuple(tools), reason, 5, tokens, latency_ms)


def share(kind, value, given=None, scorers=None, **options):
    expected = Expectation(kind, value, options)
    return holds(expected, given or answer(), {"name": "x"}, scorers or {}).share


SEARCH = ToolCall("search", '{"query": "hat", "limit": 3, "deep": {"a": 1, "b": 2}}')

CASES = [
    ("equals", "Take a jacket.", {}, answer(), 1),
    ("equals", "take a jacket.", {"ignore_case": True}, answer(), 1),
    ("equals", "take a jacket.", {}, answer(), 0),
    ("contains", "jacket", {}, answer(), 1),
    ("contains", "JACKET", {}, answer(), 0),
    ("contains", "JACKET", {"ignore_case": True}, answer(), 1),
    ("not_contains", "lawsuit", {}, answer(), 1),
    ("not_contains", "jacket", {}, answer(), 0),
    ("regex", "j.cket", {}, answer(), 1),
    ("regex", "^jacket", {}, answer(), 0),
    ("regex", "JACKET", {"ignore_case": True}, answer(), 1),
    ("json_schema", {"type": "object", "required": ["items"]}, {}, answer(JSON), 1),
    ("json_schema", {"type": "object", "required": ["price"]}, {}, answer(JSON), 0),
    ("json_schema", {"type": "object"}, {}, answer("no json"), 0),
    ("json_schema", {"$ref": "http://127.0.0.1:1/x.json"}, {}, answer(JSON), 0),
    ("json_schema", {"type": "nonsense"}, {}, answer(JSON), 0),
    ("json_schema", {"multipleOf": 0.1}, {}, answer("1e999"), 0),
    ("json_path", "$.items[0].price", {"min": 9, "max": 10}, answer(JSON), 1),
    ("json_path", "$.items[0].price", {"max": 9}, answer(JSON), 0),
    ("json_path", "$.items[0].name", {"equals": "hat"}, answer(JSON), 1),
    ("json_path", "$.items[0].name", {"regex": "^h"}, answer(JSON), 1),
    ("json_path", "$.items[0].name", {"min": 1}, answer(JSON), 0),
    ("json_path", "$.ok", {"equals": 1}, answer(JSON), 0),
    ("json_path", "$.ok", {"equals": True}, answer(JSON), 1),
    ("json_path", "$.items[1]", {}, answer(JSON), 0),
    ("json_path", "$.items", {}, answer("no json"), 0),
    ("tool", "search", {}, answer(tools=[SEARCH]), 1),
    ("tool", "search", {}, answer(), 0),
    ("tool", "find", {}, answer(tools=[SEARCH]), 0),
    ("tool", "search", {"arguments": {"limit": 3.0}}, answer(tools=[SEARCH]), 1),
    ("tool", "search", {"arguments": {"deep": {"a": 1}}}, answer(tools=[SEARCH]), 1),
    ("tool", "search", {"arguments": {"limit": 4}}, answer(tools=[SEARCH]), 0),
    ("tool", "search", {"arguments": {"limit": 3}}, answer(tools=[ToolCall("search", "{")]), 0),
    ("no_tool", True, {}, answer(), 1),
    ("no_tool", True, {}, answer(tools=[SEARCH]), 0),
    ("min_length", 14, {}, answer(), 1),
    ("min_length", 15, {}, answer(), 0),
    ("max_length", 14, {}, answer(), 1),
    ("max_length", 13, {}, answer(), 0),
    ("max_output_tokens", 12, {}, answer(), 1),
    ("max_output_tokens", 11, {}, answer(), 0),
    ("max_output_tokens", 11, {}, answer(tokens=None), 0),
    ("max_latency_ms", 250, {}, answer(), 1),
    ("max_latency_ms", 249, {}, answer(), 0),
    ("finish_reason", "stop", {}, answer(), 1),
    ("finish_reason", "length", {}, answer(), 0),
]


@pytest.mark.parametrize(("kind", "value", "options", "given", "held"), CASES)
def test_an_expectation_holds_or_does_not(kind, value, options, given, held):
    assert share(kind, value, given, **options) == held


def test_every_kind_is_tried_both_ways():
    tried = {(kind, held) for kind, _, _, _, held in CASES}

    assert tried == {(kind, held) for kind in PARAMETERS if kind != "python" for held in (0, 1)}


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (lambda text, case: True, 1),
        (lambda text, case: 0.25, 0.25),
        (lambda text, case: case["name"] == "x" and "jacket" in text, 1),
        (lambda text, case: 1 / 0, 0),
        (lambda text, case: 7, 0),
        (lambda text, case: "nonsense", 0),
        (lambda text, case: None, 0),
    ],
)
def test_a_scorer_gives_a_share_or_has_not_held(scorer, expected):
    assert share("python", "s.py:f", scorers={"s.py:f": scorer}) == expected


def found(scorer):
    return holds(Expectation("python", "s.py:f"), answer(), {}, {"s.py:f": scorer}).found


def test_what_a_scorer_raised_is_named_with_its_line():
    def divides(text, case):
        return 1 / 0

    line = divides.__code__.co_firstlineno + 1

    said = found(divides)

    assert said == f"raised ZeroDivisionError at test_expectation.py:{line}: division by zero"


def test_a_scorer_that_wants_to_exit_has_not_held():
    assert found(lambda text, case: sys.exit(3)).startswith("raised SystemExit at ")


def test_what_a_scorer_returned_instead_of_a_share_is_shown():
    assert found(lambda text, case: None) == "returned None, which is no share"
    assert found(lambda text, case: "x" * 100) == f"returned '{'x' * 59}…, which is no share"


def test_expectations_are_said_in_words():
    assert str(Expectation("contains", "jacket")) == 'contains "jacket"'
    assert str(Expectation("json_path", "$.a", {"min": 1})) == 'json_path "$.a" min 1'
    assert len(str(Expectation("contains", "x" * 1000))) < 100


@given(st.text(), st.sampled_from(sorted(PARAMETERS.keys() - {"python", "json_schema"})))
def test_no_answer_makes_an_expectation_fail_to_say_whether_it_holds(text, kind):
    values = {"regex": "a+", "json_path": "$.a[0]", "no_tool": True}
    numbers = {"min_length", "max_length", "max_output_tokens", "max_latency_ms"}
    value = 3 if kind in numbers else values.get(kind, "a")

    assert 0 <= share(kind, value, answer(text, [ToolCall(text, text)])) <= 1

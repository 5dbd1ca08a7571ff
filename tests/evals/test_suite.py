"""`evals.toml` is read whole, or everything that is wrong with it is told at once."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidFiles
from proxy.evals.suite import gate_of, parse, scorer_files

GOOD = """
[gate]
min_score = 0.9
max_regression = 0.02

[defaults]
repeats = 3

[[case]]
name = "rain"
input = "What should I wear in the rain?"
expect = [{contains = "jacket"}, {not_contains = "lawsuit"}]

[[case]]
name = "snow"
messages = [{role = "user", content = "Snow?"}]
variables = {shop = "Alpine", count = 3}
repeats = 1
expect = [{python = "scorers.py:warm"}, {json_path = "$.a[0]", min = 1}]
"""
SCORERS = {"scorers.py": b"def warm(text, case): return True"}


def problems(text, scorers=SCORERS):
    with pytest.raises(InvalidFiles) as found:
        parse(text, scorers)
    return [(problem.line, problem.message) for problem in found.value.problems]


def test_cases_have_messages_variables_repeats_and_expectations():
    suite = parse(GOOD, SCORERS)

    rain, snow = suite.cases
    assert rain.messages == (("user", "What should I wear in the rain?"),)
    assert (rain.repeats, snow.repeats) == (3, 1)
    assert [one.kind for one in rain.expect] == ["contains", "not_contains"]
    assert snow.variables == {"shop": "Alpine", "count": 3}
    assert snow.expect[1].options == {"min": 1}


def test_a_case_may_have_variables_alone():
    said = 'messages = [{role = "user", content = "Snow?"}]\n'

    suite = parse(GOOD.replace(said, ""), SCORERS)

    assert suite.cases[1].messages == ()
    assert suite.cases[1].variables == {"shop": "Alpine", "count": 3}


def test_the_gate_is_about_the_suite():
    suite = parse(GOOD, SCORERS)
    gate = gate_of(suite)

    assert (gate.suite, gate.min_score, gate.max_regression) == (suite.digest, 0.9, 0.02)
    assert gate.cases == 2


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("min_score = 0.9", "min_score = 0.1", True),
        ("\n[gate]", "# a comment\n\n[gate]", True),
        ('name = "rain"', 'name   =   "rain"', True),
        ("jacket", "coat", False),
        ("repeats = 3", "repeats = 4", False),
        ('name = "rain"', 'name = "storm"', False),
        ("min = 1}", "min = 2}", False),
    ],
)
def test_the_digest_is_over_the_cases_only(old, new, same):
    changed = parse(GOOD.replace(old, new, 1), SCORERS)

    assert (changed.digest == parse(GOOD, SCORERS).digest) is same


def test_the_digest_is_over_the_bytes_of_scorers():
    other = {"scorers.py": b"def warm(text, case): return False"}

    assert parse(GOOD, other).digest != parse(GOOD, SCORERS).digest


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("min_score = 0.9", "min_score = 9", 3, "less than or equal to 1"),
        ("min_score", "min_scores", 3, "did you mean"),
        ('input = "What', 'question = "What', 11, "unknown field"),
        ('{contains = "jacket"}', "{}", 12, "exactly one of"),
        ('{contains = "jacket"}', '{contains = "a", equals = "b"}', 12, "exactly one of"),
        ('{contains = "jacket"}', '{contains = "a", min = 1}', 12, "min does not go with contains"),
        ('{contains = "jacket"}', '{regex = "("}', 12, "no regular expression"),
        ('{contains = "jacket"}', '{json_schema = {type = "x"}}', 12, "no JSON Schema"),
        ('name = "rain"', 'name = "  "', 10, "printable"),
        ("$.a[0]", "$..a", 19, "json_path is"),
        ("scorers.py:warm", "other.py:warm", 19, "there is no file other.py"),
        ("scorers.py:warm", "../x.py:warm", 19, "python is a file of this folder"),
        ('name = "snow"', 'name = "rain"', 15, "earlier case"),
        ("repeats = 3", "repeats = 0", 7, "greater than or equal to 1"),
        ('input = "What should I wear in the rain?"', "", 9, "either input or messages"),
        ("repeats = 1", 'input = "a"', 14, "either input or messages"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old, new, line, words):
    assert old in GOOD

    found = problems(GOOD.replace(old, new, 1))

    assert any(words in message for _, message in found), found
    assert line in {number for number, _ in found}, found


def test_a_file_without_cases_is_refused():
    assert any("required" in message for _, message in problems("[gate]\n"))


def test_what_is_no_toml_is_told_with_its_line():
    ((line, message),) = problems("[gate]\nmin_score = = 1\n")

    assert line == 2
    assert "TOML" in message


def test_a_file_that_is_too_large_is_refused():
    assert "larger" in problems("#" * (2**20 + 1))[0][1]


def test_the_names_of_scorer_files_are_found():
    assert scorer_files(GOOD) == ("scorers.py",)
    assert scorer_files("nonsense = = ") == ()


@given(st.text(max_size=200))
def test_whatever_a_file_says_it_is_read_or_refused(text):
    scorer_files(text)
    with suppress(InvalidFiles):
        assert parse(text, {}).cases

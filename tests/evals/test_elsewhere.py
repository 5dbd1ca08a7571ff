"""Reports of other tools: a real file of promptfoo's, JUnit XML, plain JSON, and nonsense."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidArgument
from proxy.evals.elsewhere import MAX_BYTES, read

# Written by promptfoo 0.118.17: `promptfoo eval --output`, three tests, a provider of its own.
PROMPTFOO = (Path(__file__).parent / "fixtures" / "promptfoo.json").read_bytes()
DIGEST, SUITE = "sha256:" + "1" * 64, "sha256:" + "2" * 64

JUNIT = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="evals">
  <testcase classname="tone" name="rain" time="0.25"/>
  <testcase classname="tone" name="snow"><failure message="no boots">long text</failure></testcase>
  <testcase classname="tone" name="sun"><error message="timed out"/></testcase>
  <testcase classname="tone" name="later"><skipped/></testcase>
</testsuite></testsuites>
"""


def scores(raw, suite=None):
    found = read(raw, "shop", DIGEST, suite, "ada")
    return found, {case.name: case.score for case in found.cases}


def test_a_file_of_promptfoos_is_read():
    found, by_name = scores(PROMPTFOO)

    assert by_name == {"rain": 1.0, "snow": 0.0, '{"weather": "sun"}': 1.0}
    assert found.score == pytest.approx(2 / 3)
    snow = next(case for case in found.cases if case.name == "snow")
    assert snow.failed == ('contains "boots"',)
    assert (snow.input_tokens, snow.output_tokens) == (5, 7)
    assert (found.source, found.by) == ("promptfoo", "ada")
    assert found.raw == "sha256:" + hashlib.sha256(PROMPTFOO).hexdigest()


def test_repeats_of_a_promptfoo_test_are_one_case():
    report = json.loads(PROMPTFOO)
    rows = report["results"]["results"]
    report["results"]["results"] = [*rows, {**rows[0], "score": 0.5, "success": False}]

    found, _ = scores(json.dumps(report).encode())

    assert next(case for case in found.cases if case.name == "rain").scores == (1.0, 0.5)


def test_providers_of_a_promptfoo_file_are_cases_of_their_own():
    report = json.loads(PROMPTFOO)
    rows = report["results"]["results"]
    other = {**rows[0], "provider": {"id": "other"}}
    report["results"]["results"] = [*rows, other]

    _, by_name = scores(json.dumps(report).encode())

    assert {"rain [local, prompt 0]", "rain [other, prompt 0]"} <= by_name.keys()


def test_junit_is_read():
    found, by_name = scores(JUNIT)

    assert by_name == {"tone.rain": 1.0, "tone.snow": 0.0, "tone.sun": 0.0}
    rain, snow, sun = found.cases
    assert rain.latency_ms == 250
    assert snow.failed == ("no boots",)
    assert sun.error == "error"
    assert found.source == "junit"


def test_plain_json_is_read():
    raw = b'{"cases": [{"name": "a", "score": 0.5, "scores": [0, 1]}, {"name": "b", "score": 1}]}'

    found, by_name = scores(raw)

    assert by_name == {"a": 0.5, "b": 1.0}
    assert found.source == "json"


def test_the_suite_is_made_of_the_names_of_cases_or_is_the_one_that_was_said():
    first, _ = scores(JUNIT)
    again, _ = scores(JUNIT.replace(b"no boots", b"no shoes"))
    other, _ = scores(JUNIT.replace(b'"rain"', b'"storm"'))

    assert first.suite == again.suite != other.suite
    assert scores(JUNIT, SUITE)[0].suite == SUITE


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><testsuite><testcase name="&b;"/></testsuite>'


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff\xfe<",
        b"<testsuite>",
        b"<testsuite/>",
        BOMB,
        BOMB.decode().encode("utf-16"),
        b'{"results": {}}',
        b'{"results": {"results": [{}]}}',
        b'{"results": {"results": [{"score": "x", "success": true}]}}',
        b'{"cases": []}',
        b'{"cases": [{"name": "a", "score": 7, "scores": [1]}]}',
        b'{"results": {"results": [{"score": NaN, "success": true}]}}',
        b'{"cases": [{"name": "a", "score": 2}]}',
        b'{"cases": [{"name": "a", "score": true}]}',
        b'{"cases": [{"name": "a", "score": 1}, {"name": "a", "score": 1}]}',
        b'{"cases": [{"name": "a", "score": 1, "more": 1}]}',
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_what_is_no_report_is_refused(raw):
    with pytest.raises(InvalidArgument):
        scores(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "it is not JSON, line 1: Expecting value"),
        (b'{"cases": [\n{]}', "it is not JSON, line 2"),
        (b"[]", "it is JSON, but neither with results.results nor with cases"),
        (b'{"results": {"version": 9}}', "promptfoo's version 3 of them, but version 9"),
        (b'{"cases": [{"name": "a", "score": 7}]}', "a score of 7, where shares go from 0 to 1"),
        (b'{"cases": [{"name": "a"}]}', "missing required field `score`"),
        (
            b'{"cases": [{"name": "a", "score": 1}, {"name": "a", "score": 1}]}',
            "two cases are called 'a'",
        ),
    ],
)
def test_what_is_wrong_with_a_report_is_said(raw, said):
    with pytest.raises(InvalidArgument) as error:
        scores(raw)

    assert said in error.value.message


@pytest.mark.parametrize(
    "more",
    [
        '"latency_ms": 1e999',
        '"latency_ms": -5',
        '"input_tokens": 99999999999999999999',
        '"input_tokens": -5',
        '"failed": ["\\ud800"]',
        '"error": "' + "x" * 100_000 + '"',
    ],
    ids=lambda more: more[:30],
)
def test_odd_numbers_and_words_of_a_report_can_be_kept(more):
    try:
        found, _ = scores(f'{{"cases": [{{"name": "a\u202e", "score": 1, {more}}}]}}'.encode())
    except InvalidArgument:
        return  # what is no JSON number is no report

    (case,) = found.cases
    assert found.pointer.startswith("eval-")
    assert (case.name, case.latency_ms, case.input_tokens) == ("a", None, None)
    assert len(case.error) <= 300
    assert all(words.encode() for words in case.failed)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"<{text}".encode()))
def test_whatever_a_file_holds_it_is_read_or_refused(raw):
    with suppress(InvalidArgument):
        assert scores(raw)[0].cases

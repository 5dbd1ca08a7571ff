"""A suite from files: what is run is what the digest is over, and it lies in the model's folder."""

import pytest

from proxy.control.suite_files import (
    find_suite,
    load_scorers,
    read_suite,
    scorer_names,
    wanted_gate,
)
from proxy.errors import InvalidFiles

SUITE = """\
[gate]
min_score = 0.8

[[case]]
name = "rain"
input = "Rain?"
expect = [{ python = "scorers.py:kind" }]
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "evals.toml").write_text(SUITE)
    (folder / "scorers.py").write_text("def kind(text, case):\n    return 'kind' in text\n")
    return folder


def problems(error):
    return [(p.file.rpartition("/")[2], p.line, p.message) for p in error.value.problems]


def test_the_files_propose_a_gate_and_nothing_is_run_for_it(folder):
    (folder / "scorers.py").write_text("raise SystemExit('was run')\ndef kind(): ...\n")

    gate = wanted_gate(folder)

    assert (gate.min_score, gate.cases) == (0.8, 1)
    assert gate.suite == read_suite(folder).suite.digest


def test_a_model_without_evals_asks_for_nothing(tmp_path):
    assert find_suite(tmp_path) is None
    assert wanted_gate(tmp_path) is None


def test_an_eval_without_evals_says_what_is_missing(tmp_path):
    with pytest.raises(InvalidFiles) as error:
        read_suite(tmp_path)

    assert problems(error) == [("evals.toml", 0, "the file is missing")]
    assert "docs/evals.md" in error.value.hint


def test_a_scorer_is_a_part_of_the_suite(folder):
    before = read_suite(folder).suite.digest
    (folder / "scorers.py").write_text("def kind(text, case):\n    return 1\n")

    assert read_suite(folder).suite.digest != before


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("def kinds(text, case): ...", "has no function kind", "did you mean kinds?"),
        ("async def kind(text, case): ...", "kind is async; it has to return the share itself", ""),
        ("def kind(text): ...", "kind must take the answer's text and the case", ""),
        ("import nosuch", "cannot be run: ModuleNotFoundError: No module named 'nosuch'", ""),
        ("raise SystemExit('bye')", "cannot be run: SystemExit: bye", ""),
    ],
)
def test_a_function_that_cannot_score_is_told_before_anything_is_asked(folder, code, message, hint):
    (folder / "scorers.py").write_text(code + "\n")

    with pytest.raises(InvalidFiles) as error:
        load_scorers(read_suite(folder))

    assert [said for *_, said in problems(error)] == [message]
    assert error.value.hint == hint


def test_scorers_are_found_by_what_the_cases_call_them(folder):
    scorers = load_scorers(read_suite(folder))

    assert scorers["scorers.py:kind"]("so kind", {}) is True


def test_a_scorer_file_may_hold_a_dataclass(folder):
    (folder / "scorers.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "@dataclass\nclass Words:\n    most: ClassVar[int] = 3\n    text: str = ''\n"
        "def kind(text, case):\n    return len(text) <= Words.most\n"
    )

    assert load_scorers(read_suite(folder))["scorers.py:kind"]("yes", {})


def test_what_is_executed_is_what_was_read(folder):
    files = read_suite(folder)
    (folder / "scorers.py").write_text("raise RuntimeError\n")

    assert load_scorers(files).keys() == {"scorers.py:kind"}


def test_a_missing_scorer_is_told_where_it_is_named(folder):
    (folder / "scorers.py").unlink()

    with pytest.raises(InvalidFiles) as error:
        read_suite(folder)

    assert [(file, line) for file, line, _ in problems(error)] == [("evals.toml", 7)]
    assert str(folder) in error.value.problems[0].file


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        ("x = 1\n1 / 0\n", 2, "cannot be run: ZeroDivisionError: division by zero"),
        ("def kind(:\n", 1, "cannot be run: SyntaxError: invalid syntax"),
        ("kind = 3\n", 0, "has no function kind"),
        ("def other(): ...\n", 0, "has no function kind"),
    ],
)
def test_a_scorer_that_cannot_be_run_is_told_by_line(folder, code, line, said):
    (folder / "scorers.py").write_text(code)

    with pytest.raises(InvalidFiles) as error:
        load_scorers(read_suite(folder))

    assert problems(error) == [("scorers.py", line, said)]


def test_a_link_does_not_lead_out_of_the_folder(folder, tmp_path):
    (tmp_path / "elsewhere.py").write_text("def kind(text, case):\n    return 1\n")
    (folder / "scorers.py").unlink()
    (folder / "scorers.py").symlink_to(tmp_path / "elsewhere.py")

    with pytest.raises(InvalidFiles, match="lies outside the model's folder"):
        read_suite(folder)


def test_scorer_files_are_known_as_such(folder, tmp_path):
    assert scorer_names(folder) == {"scorers.py"}
    assert scorer_names(tmp_path) == frozenset()

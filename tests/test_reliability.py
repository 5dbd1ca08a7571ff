"""The page of promises under faults names tests that exist, and things that the program has."""

import ast
import re

import pytest

from proxy import errors, events
from proxy.errors import ProxyError
from proxy.settings import Settings

ROWS = 91
PROVEN_BY = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
# How a row begins that has no test.
EXCUSE = "Does not apply:"


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "reliability.md").read_text()


@pytest.fixture(scope="module")
def rows(page):
    """Return number, fault, what is done and proof of each row."""
    lines = re.findall(r"^\| \d+ \|.*\|$", page, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names_in(path):
    tree = ast.parse(path.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = (node.name for node in tree.body if isinstance(node, functions))
    return {name for name in names if name.startswith("test_")}


def test_rows_are_numbered_without_a_gap(rows):
    assert [row[0] for row in rows] == [str(number) for number in range(1, ROWS + 1)]
    assert {len(row) for row in rows} == {4}


def test_every_row_names_a_test_or_says_why_there_is_none(rows):
    bare = [row[0] for row in rows if not PROVEN_BY.search(row[3])]
    excused = [row[0] for row in rows if row[2].startswith(EXCUSE)]

    assert bare == excused


def test_a_proof_is_nothing_but_names_of_tests(rows):
    left = {row[0]: PROVEN_BY.sub("", row[3]).strip(" ·") for row in rows}

    assert {number: rest for number, rest in left.items() if rest} == {}


def test_every_test_that_is_named_exists(page, repository):
    named = set(PROVEN_BY.findall(page))
    known = {path: names_in(repository / path) for path, _ in named}

    assert [f"{path}::{name}" for path, name in sorted(named) if name not in known[path]] == []


def test_every_test_of_the_fault_suite_is_named(page, repository):
    named = {name for _, name in PROVEN_BY.findall(page)}
    suite = (repository / "tests" / "faults").glob("test_*.py")

    assert {name for path in suite for name in names_in(path)} - named == set()


def codes():
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return {kind.code for kind in kinds if issubclass(kind, ProxyError) and hasattr(kind, "code")}


def test_every_event_metric_error_and_setting_that_is_named_exists(page, repository):
    words = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", page))
    known = {value for name, value in vars(events).items() if name.isupper()} | codes()
    known |= set(re.findall(r"`(proxy_\w+)`", (repository / "docs" / "operations.md").read_text()))
    for section, field in Settings.model_fields.items():
        fields = getattr(field.annotation, "model_fields", {})
        known |= {f"{section}.{name}" for name in fields}
    others = {"redis-server", "unshare", "ip", "everysec", "maxclients", "routing.timeout_s"}
    others |= {"first_byte_timeout", "reset"}  # what a version's rules may name

    assert words - known - others == set()

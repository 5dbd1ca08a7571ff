"""docs/dialects.md is compared with the program and with the tests that it names."""

import ast
import re
from pathlib import Path

import pytest

from proxy.dialects.registry import DIALECTS
from tests.wire.recordings import recordings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "dialects.md").read_text()
FEATURES = re.search(r"<!-- features -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)[1]
NONE = "–"

# What no SDK of today calls, and scripts do.
UNRECORDED = {"/v1beta/models/NAME:embedContent"}


def cells(line):
    return [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


HEAD, _, *ROWS = map(cells, FEATURES.splitlines())
PROOFS = sorted({proof for row in ROWS for proof in row[1:] if proof != NONE})


def names_in(file):
    """Return the names of a file's tests, those of a class behind its name."""
    tree = ast.parse((ROOT / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in tree.body if isinstance(node, functions)}
    for group in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        names |= {f"{group.name}::{one.name}" for one in group.body if isinstance(one, functions)}
    return {name for name in names if "test_" in name}


def test_every_dialect_has_its_column():
    assert ["feature", *DIALECTS] == HEAD
    assert {len(row) for row in ROWS} == {len(HEAD)}


@pytest.mark.parametrize("proof", PROOFS)
def test_what_is_named_as_a_proof_is_a_test(proof):
    file, _, name = proof.partition("::")

    assert name in names_in(file) if name else names_in(file)


def test_no_feature_is_there_twice_and_each_is_there_for_somebody():
    features = [row[0] for row in ROWS]

    assert len(set(features)) == len(features)
    assert all(set(row[1:]) != {NONE} for row in ROWS)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_calls_and_keys_of_a_dialect_are_on_the_page(dialect):
    (row,) = (cells(line) for line in PAGE.splitlines() if line.startswith(f"| `{dialect.name}` |"))
    _, _, calls, key = row

    assert calls == ", ".join(f"POST {one.path}" for one in (dialect, *dialect.others))
    assert key == ("authorization: Bearer" if dialect.auth == "bearer" else dialect.auth)


def test_each_endpoint_has_a_recorded_exchange():
    paths = {found.path.encode() for found in recordings()}

    every = [one for dialect in DIALECTS.values() for one in (dialect, *dialect.others)]
    assert {one.path for one in every if not any(map(one.serves, paths))} == UNRECORDED

"""Pointers and keys name content; a gate is looser or it is not."""

import pytest
from msgspec import structs

from proxy.versions.evidence import CaseResult, Gate, Result

SUITE = "sha256:" + "a" * 64
RESULT = Result("shop", "sha256:" + "b" * 64, SUITE, 0.5, (CaseResult("one", 0.5),), "ada")


def test_a_pointer_does_not_depend_on_the_time():
    assert structs.replace(RESULT, at="2026-11-23T14:18:00.000Z").pointer == RESULT.pointer


@pytest.mark.parametrize(
    "change",
    [{"score": 0.6}, {"by": "bob"}, {"suite": "sha256:" + "c" * 64}, {"cases": ()}],
    ids=str,
)
def test_a_pointer_depends_on_everything_else(change):
    assert structs.replace(RESULT, **change).pointer != RESULT.pointer


@pytest.mark.parametrize(
    ("gate", "other", "looser"),
    [
        (Gate(SUITE, 0.8), Gate(SUITE, 0.9), True),
        (Gate(SUITE, 0.9), Gate(SUITE, 0.8), False),
        (Gate(SUITE, 0.9, 0.1), Gate(SUITE, 0.9, 0.05), True),
        (Gate(SUITE, 0.9, None), Gate(SUITE, 0.9, 0.05), True),
        (Gate(SUITE, 0.9, 0.05), Gate(SUITE, 0.9, None), False),
        (Gate(SUITE, 0.9, 0.05), Gate(SUITE, 0.9, 0.05), False),
        (Gate(SUITE, 1.0, 0.1), Gate(SUITE, 0.9, 0.05), True),
    ],
)
def test_a_gate_that_lets_more_through_is_looser(gate, other, looser):
    assert gate.looser_than(other) is looser


def test_the_key_of_a_gate_depends_on_all_of_it():
    gates = [Gate(SUITE), Gate(SUITE, 0.5), Gate(SUITE, 0.5, 0.1), Gate(SUITE, 0.5, 0.1, 3)]

    assert len({gate.key for gate in gates}) == len(gates)

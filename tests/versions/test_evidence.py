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
        (Gate(SUITE, 0.9, simulated=True), Gate(SUITE, 0.9), True),
        (Gate(SUITE, 0.9), Gate(SUITE, 0.9, simulated=True), False),
    ],
)
def test_a_gate_that_lets_more_through_is_looser(gate, other, looser):
    assert gate.looser_than(other) is looser


def test_the_key_of_a_gate_depends_on_all_of_it():
    about = ((), (0.5,), (0.5, 0.1), (0.5, 0.1, 3), (0.5, 0.1, 3, True))
    gates = [Gate(SUITE, *each) for each in about]

    assert len({gate.key for gate in gates}) == len(gates)


def test_the_key_of_a_gate_is_that_of_releases_that_knew_no_simulated_results():
    assert Gate(SUITE, 0.9, 0.02, 5).key.startswith("sha256:1c19e5ea3eb4")


def test_a_gate_goes_by_results_of_its_suite_and_of_a_real_vendor():
    simulated = structs.replace(RESULT, simulated=True)
    elsewhere = structs.replace(RESULT, suite="sha256:" + "c" * 64)

    assert Gate(SUITE).counts(RESULT)
    assert not Gate(SUITE).counts(simulated)
    assert not Gate(SUITE).counts(elsewhere)
    assert Gate(SUITE, simulated=True).counts(simulated)

"""The gate: what passes, what does not, and which cases are named."""

import pytest

from proxy.evals.judge import NAMED_CASES, Passed, Refused, judge
from proxy.versions.evidence import CaseResult, Gate, Result

SUITE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NEW, PROD = "sha256:" + "1" * 64, "sha256:" + "2" * 64
GATE = Gate(SUITE, 0.8, 0.02)


def result(*scores, digest=NEW, suite=SUITE, repeats=5, simulated=False):
    cases = tuple(
        CaseResult(f"case {n}", score, (score,) * repeats, ('contains "x"',) if score < 1 else ())
        for n, score in enumerate(scores)
    )
    score = sum(scores) / len(scores)
    return Result("shop", digest, suite, score, cases, "ada", simulated=simulated)


def codes(judged):
    assert isinstance(judged, Refused)
    return [reason.code for reason in judged.reasons]


def test_a_good_version_passes_by_its_result():
    candidate = result(1, 1)

    judged = judge(GATE, candidate, result(1, 1, digest=PROD), baseline_digest=PROD)

    assert judged == Passed(candidate.pointer)


@pytest.mark.parametrize("candidate", [None, result(1, suite=OTHER)])
def test_without_a_result_in_the_suite_nothing_passes(candidate):
    assert codes(judge(GATE, candidate, None, baseline_digest="")) == ["no_result"]


def test_a_score_below_the_least_is_refused_with_the_cases_that_failed():
    judged = judge(GATE, result(1, 0.2, 0), None, baseline_digest="")

    assert codes(judged) == ["below_min_score"]
    words = str(judged.reasons[0])
    assert words.index("case 2") < words.index("case 1")
    assert 'contains "x"' in words
    assert "case 0" not in words


def test_the_least_score_itself_is_enough():
    assert isinstance(judge(GATE, result(0.8), None, baseline_digest=""), Passed)


def test_worse_than_prod_beyond_noise_is_refused_with_the_cases_that_got_worse():
    gate = Gate(SUITE, 0.0, 0.02)

    judged = judge(gate, result(1, 0, 1), result(1, 1, 1, digest=PROD), baseline_digest=PROD)

    assert codes(judged) == ["worse_than_prod"]
    assert "case 1 (1.00 → 0.00)" in str(judged.reasons[0])
    assert "case 2" not in str(judged.reasons[0])


def test_a_loss_within_the_margin_passes():
    gate = Gate(SUITE, 0.0, 0.5)

    judged = judge(gate, result(1, 0, 1), result(1, 1, 1, digest=PROD), baseline_digest=PROD)

    assert isinstance(judged, Passed)


def test_a_loss_that_may_be_noise_passes():
    gate = Gate(SUITE, 0.0, 0.02)
    before = result(1, 1, 1, 1, digest=PROD, repeats=1)

    judged = judge(gate, result(1, 1, 1, 0, repeats=1), before, baseline_digest=PROD)

    assert isinstance(judged, Passed)


@pytest.mark.parametrize("baseline", [None, result(1, digest=PROD, suite=OTHER)])
def test_what_prod_holds_has_to_have_a_result_to_be_compared_with(baseline):
    judged = judge(GATE, result(1), baseline, baseline_digest=PROD)

    assert codes(judged) == ["no_baseline"]


@pytest.mark.parametrize("held", ["", NEW])
def test_nothing_in_prod_or_the_version_itself_needs_no_comparison(held):
    assert isinstance(judge(GATE, result(1), None, baseline_digest=held), Passed)


def test_where_no_regression_is_asked_for_none_is_looked_for():
    assert isinstance(judge(Gate(SUITE, 0.5), result(1), None, baseline_digest=PROD), Passed)


def test_all_reasons_are_given_at_once():
    judged = judge(GATE, result(0, 0), result(1, 1, digest=PROD), baseline_digest=PROD)

    assert codes(judged) == ["below_min_score", "worse_than_prod"]


def test_a_baseline_about_other_cases_is_none():
    other = Result("shop", PROD, SUITE, 1.0, (CaseResult("else", 1.0, (1.0,)),), "ada")

    assert codes(judge(GATE, result(1), other, baseline_digest=PROD)) == ["no_baseline"]


def test_what_is_exactly_allowed_is_allowed():
    gate = Gate(SUITE, 0.9, 0.02)
    before = result(*[1.0] * 50, digest=PROD)

    judged = judge(gate, result(*[1.0] * 49, 0.0), before, baseline_digest=PROD)

    assert isinstance(judged, Passed)
    assert isinstance(judge(Gate(SUITE, 0.9), result(*[0.9] * 7), None, baseline_digest=""), Passed)


def test_of_many_cases_the_worst_are_named():
    judged = judge(GATE, result(*[0] * (NAMED_CASES + 3)), None, baseline_digest="")

    assert "and 3 more" in str(judged.reasons[0])


def test_what_a_simulated_vendor_answered_does_not_count():
    assert codes(judge(GATE, result(1, simulated=True), None, baseline_digest="")) == ["simulated"]


def test_what_a_simulated_vendor_answered_counts_where_the_gate_says_so():
    gate = Gate(SUITE, 0.8, 0.02, simulated=True)
    candidate, before = result(1, simulated=True), result(1, digest=PROD, simulated=True)

    assert judge(gate, candidate, before, baseline_digest=PROD) == Passed(candidate.pointer)


@pytest.mark.parametrize("simulated", [True, False])
def test_a_simulated_vendor_and_a_real_one_are_not_compared(simulated):
    gate = Gate(SUITE, 0.8, 0.02, simulated=True)
    candidate, before = result(1, simulated=simulated), result(1, simulated=not simulated)

    assert codes(judge(gate, candidate, before, baseline_digest=PROD)) == ["no_baseline"]

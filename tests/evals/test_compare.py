"""Two results side by side."""

from proxy.evals.compare import Change, compare, paired
from proxy.versions.evidence import CaseResult, Result

SUITE = "sha256:" + "a" * 64


def result(suite=SUITE, **scores):
    cases = tuple(
        CaseResult(name, sum(each) / len(each), tuple(map(float, each)))
        for name, each in scores.items()
    )
    total = sum(case.score for case in cases) / len(cases)
    return Result("shop", "sha256:" + "1" * 64, suite, total, cases, "ada")


BEFORE = result(rain=[1] * 5, snow=[1] * 5, sun=[0] * 5, gone=[1] * 5)
AFTER = result(rain=[1] * 5, snow=[0] * 5, sun=[1] * 5, new=[1] * 5)


def test_worse_cases_come_first_and_all_are_there():
    found = compare(BEFORE, AFTER)

    assert [(case.name, case.change) for case in found.cases] == [
        ("snow", Change.WORSE),
        ("gone", Change.GONE),
        ("sun", Change.BETTER),
        ("new", Change.NEW),
        ("rain", Change.SAME),
    ]
    assert found.same_suite


def test_the_difference_is_over_the_cases_that_both_have():
    old, new = paired(BEFORE, AFTER)

    assert len(old) == len(new) == 3
    assert compare(BEFORE, AFTER).difference == 0


def test_a_change_each_time_is_certain_and_one_of_a_single_answer_is_not():
    steady = compare(result(a=[1] * 5, b=[1] * 5), result(a=[0] * 5, b=[1] * 5))
    single = compare(result(a=[1], b=[1]), result(a=[0], b=[1]))

    assert steady.cases[0].certain
    assert not single.cases[0].certain


def test_the_interval_holds_the_difference():
    found = compare(result(a=[1, 0, 1, 1, 0], b=[1] * 5), result(a=[0, 0, 1, 0, 0], b=[1] * 5))
    low, high = found.interval

    assert low < found.difference < high
    assert not found.certain


def test_nothing_in_common_says_nothing():
    found = compare(result(a=[1]), result(b=[1]))

    assert (found.difference, found.interval, found.certain) == (0.0, (-1.0, 1.0), False)


def test_other_suites_are_told_apart():
    assert not compare(BEFORE, result("sha256:" + "b" * 64, rain=[1])).same_suite


def test_the_json_has_every_case():
    facts = compare(BEFORE, AFTER).json()

    assert facts["difference"] == 0
    assert {case["name"] for case in facts["cases"]} == {"rain", "snow", "sun", "new", "gone"}

"""`attach` and `compare` as people and pipelines run them."""

import hashlib
import json

import pytest

from tests.cli.suites import suite

ALL = {f"case {number}": 1 for number in range(10)}


def report(path, **scores):
    cases = [{"name": name, "score": score} for name, score in scores.items()]
    path.write_text(json.dumps({"cases": cases}))
    return str(path)


def test_a_result_made_elsewhere_is_kept_with_its_source_and_digest(shop, tmp_path):
    shop.ok("register", "recommender")
    file = report(tmp_path / "r.json", rain=1, snow=0.5)

    answer = shop.ok("attach", "recommender", "v1", "--file", file, "--as", "ci")

    raw = (tmp_path / "r.json").read_bytes()
    assert answer["raw"] == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert (answer["source"], answer["score"], answer["created"]) == ("json", 0.75, True)
    assert not shop.ok("attach", "recommender", "v1", "--file", file, "--as", "ci")["created"]
    assert [one["pointer"] for one in shop.ok("show", "recommender", "v1")["evals"]] == [
        answer["pointer"]
    ]


def test_it_counts_for_the_gate_if_somebody_says_that_it_answers_the_suite(shop, tmp_path):
    shop.ok("register", "recommender")
    file = report(tmp_path / "r.json", **ALL)

    shop.ok("gate", "recommender", "--accept", "--reason", "launch")

    own = shop("attach", "recommender", "v1", "--file", file)
    claimed = shop.ok("attach", "recommender", "v1", "--file", file, "--suite", "current")

    assert "asks for another suite, so this does not count" in own.out
    assert claimed["passes"]
    assert claimed["suite"] == claimed["gate"]["suite"]
    assert shop.ok("pin", "recommender", "v1")["label"] == "prod"


@pytest.mark.parametrize("suite", ["current", "gate"])
def test_a_report_that_leaves_cases_of_the_suite_out_does_not_answer_it(shop, tmp_path, suite):
    shop.ok("register", "recommender")
    best = {name: score for name, score in ALL.items() if name != "case 3"}
    file = report(tmp_path / "r.json", **best)

    ran = shop("attach", "recommender", "v1", "--file", file, "--suite", suite)

    assert ran.status == 1
    said = {"current": "it lacks 'case 3' [", "gate": "has 10 cases, and the report has 9 ["}
    assert said[suite] in ran.err
    assert shop.ok("show", "recommender", "v1")["evals"] == []


def test_a_report_with_cases_of_another_suite_names_them(shop, tmp_path):
    shop.ok("register", "recommender")
    file = report(tmp_path / "r.json", **ALL, rain=1)

    ran = shop("attach", "recommender", "v1", "--file", file, "--suite", "current")

    assert "it has 'rain', not in evals.toml [invalid_argument]" in ran.err


def test_a_report_about_the_gates_suite_does_not_need_the_files_of_that_time(shop, tmp_path):
    shop.ok("register", "recommender")
    gate = shop.ok("gate", "recommender")["gate"]
    (shop.model / "evals.toml").write_text(suite("quite another"))
    file = report(tmp_path / "r.json", **ALL)

    kept = shop.ok("attach", "recommender", "v1", "--file", file, "--suite", "gate")

    assert (kept["suite"], kept["passes"]) == (gate["suite"], True)
    assert shop.ok("gate", "recommender")["gate"] == gate


def test_a_report_about_a_changed_suite_says_what_became_of_the_gate(shop, tmp_path):
    shop.ok("register", "recommender")
    (shop.model / "evals.toml").write_text(suite("rain"))
    file = report(tmp_path / "r.json", rain=1)

    page = shop("attach", "recommender", "v1", "--file", file, "--suite", "current").out

    assert "what evals.toml asks for is in force now" in page
    assert "what was evaluated in that no longer counts" in page


def test_without_a_gate_there_is_no_suite_of_it(shop, tmp_path):
    (shop.model / "evals.toml").unlink()
    shop.ok("register", "recommender")
    file = report(tmp_path / "r.json", **ALL)

    ran = shop("attach", "recommender", "v1", "--file", file, "--suite", "gate")

    assert "there is no gate in force" in ran.err


def test_content_without_a_number_is_named_by_its_digest_or_by_the_files(shop, tmp_path):
    file = report(tmp_path / "r.json", rain=1)
    evaluated = shop.ok("eval", "recommender", "--no-store")["digest"]

    by_files = shop.ok("attach", "recommender", "--file", file)
    by_digest = shop.ok("attach", "recommender", "--digest", evaluated, "--file", file)

    assert by_files["digest"] == by_digest["digest"] == evaluated
    assert (by_files["created"], by_digest["created"]) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--file", "nowhere.json"], "invalid_files"),
        (["--file", "empty.json"], "invalid_argument"),
        (["--file", "good.json", "--suite", "other"], "invalid_argument"),
    ],
)
def test_a_report_that_cannot_be_kept_is_refused(shop, arguments, code):
    (shop.directory / "empty.json").write_text("{}")
    report(shop.directory / "good.json", rain=1)

    ran = shop("attach", "recommender", *arguments, "--json")

    assert (ran.status, ran.json["error"]["code"]) == (1, code)


def test_versions_show_the_result_that_the_gate_goes_by_and_say_of_others_what_they_are(
    shop, tmp_path
):
    shop.ok("register", "recommender")
    other = report(tmp_path / "r.json", rain=0.25)
    shop.ok("attach", "recommender", "v1", "--file", other)
    before = shop("versions", "recommender").out
    answers = report(tmp_path / "all.json", **ALL)
    shop.ok("attach", "recommender", "v1", "--file", answers, "--suite", "gate")
    shop.ok("attach", "recommender", "v1", "--file", report(tmp_path / "s.json", snow=0.5))

    after = shop("versions", "recommender").out

    assert "0.250 in another suite  " in before
    assert "1.000  " in after
    assert "another suite" not in after


def test_a_version_and_a_digest_together_are_wrong_usage(shop):
    ran = shop("attach", "recommender", "v1", "--digest", "sha256:0", "--file", "x")

    assert ran.status == 2


def test_two_versions_are_compared_case_by_case(shop):
    shop.ok("register", "recommender")
    shop.ok("eval", "recommender", "v1")
    shop.change("You are cold.")
    shop.ok("eval", "recommender", "v2")

    answer = shop.ok("compare", "recommender", "v1", "v2")

    assert (answer["from"]["version"], answer["to"]["version"]) == (1, 2)
    assert (answer["difference"], answer["certain"]) == (-1.0, True)
    assert {case["change"] for case in answer["cases"]} == {"worse"}
    page = shop("compare", "recommender", "v1", "files").out
    assert "case    before  after  change" in page
    assert "difference  -1.000" in page


def test_results_in_one_suite_are_compared_the_current_one_first(shop, tmp_path):
    shop.ok("register", "recommender")
    for version in ("v1", "files"):
        shop.ok("eval", "recommender", version)
        file = report(tmp_path / "r.json", rain=0.5)
        other = shop.ok("attach", "recommender", version, "--file", file)["suite"]

    current = shop.ok("compare", "recommender", "v1", "files")
    named = shop.ok("compare", "recommender", "v1", "files", "--suite", other)

    assert (current["to"]["source"], named["to"]["source"]) == ("proxyctl", "json")


def test_versions_that_share_no_suite_are_not_compared(shop, tmp_path):
    shop.ok("register", "recommender")
    shop.change("two")

    nothing = shop("compare", "recommender", "v1", "v2")
    shop.ok("attach", "recommender", "v1", "--file", report(tmp_path / "a.json", rain=1))
    shop.ok("attach", "recommender", "v2", "--file", report(tmp_path / "b.json", snow=1))
    apart = shop("compare", "recommender", "v1", "v2")

    assert "v1-" in nothing.err
    assert "has no result [no_result]" in nothing.err
    assert "hint: proxyctl eval recommender v1" in nothing.err
    assert "in a suite that both have [no_result]" in apart.err

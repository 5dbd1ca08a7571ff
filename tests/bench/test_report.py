"""The benchmark's tables come from its results file by arithmetic that anybody can repeat."""

import json

import pytest

from bench.report import FLEET, RUN, Results, parse, placed, render, written


def record(target, number=1, **modes):
    return json.dumps({"round": number, "target": target, "kind": "floor", **modes})


def small(cpu_us, per_s=1000.0, added_p50_us=100, **more):
    c32 = {"cpu_us": cpu_us, "per_s": per_s, "p50_us": 400, "p99_us": 900, "noise": 0.0, **more}
    return {"c32": c32, "added_p50_us": added_p50_us, "added_p99_us": 300, "startup_s": 0.5}


def run_of(lines) -> Results:
    return parse(lines)[RUN.name]


def fleet(p99_ms, target="50 proxies", number=1, **more):
    pins = {"p50_ms": p99_ms / 2, "p99_ms": p99_ms, "unconfirmed": 0, "noise": 0.0, **more}
    return json.dumps({"round": number, "target": target, "kind": "fleet", "pins": pins})


def test_a_cell_is_the_median_of_the_rounds():
    results = run_of([record("nginx", n, small=small(cpu)) for n, cpu in enumerate((30, 10, 12))])

    assert results.median("nginx", "small.c32.cpu_us") == 12


def test_a_ratio_compares_medians_of_the_same_run():
    results = run_of([record("nginx", small=small(10)), record("proxy", small=small(25))])

    assert results.ratio("proxy", "small.c32.cpu_us", "nginx") == 2.5


def test_a_target_without_its_reference_has_no_ratio():
    results = run_of([record("proxy", small=small(25))])

    assert results.ratio("proxy", "small.c32.cpu_us", "nginx") is None


def test_a_round_that_failed_does_not_count_as_zero():
    failed = record("nginx", 2, small={"error": "RuntimeError: wrk said no"})

    results = run_of([record("nginx", 1, small=small(10)), failed])

    assert results.median("nginx", "small.c32.cpu_us") == 10


def test_rows_are_sorted_by_what_the_table_is_about():
    lines = [record("bare-aiohttp", small=small(140)), record("nginx", small=small(12))]

    text = render(parse(lines))

    assert text.index("| nginx |") < text.index("| bare-aiohttp |")


@pytest.mark.parametrize(
    ("cpu_us", "verdict"), [(36, "| 3.00 × nginx | met |"), (37, "| 3.08 × nginx | **missed** |")]
)
def test_a_target_is_met_up_to_its_limit_and_not_beyond(cpu_us, verdict):
    lines = [record("nginx", small=small(12)), record("proxy", small=small(cpu_us))]

    assert verdict in render(parse(lines))


def test_the_proxy_is_compared_with_the_cheapest_of_the_gateways():
    dear, cheap = (
        json.dumps({"round": 1, "target": name, "kind": "gateway", "small": small(cpu)})
        for name, cpu in (("dear", 100), ("cheap", 40))
    )

    text = render(parse([record("proxy", small=small(50)), dear, cheap]))

    assert "| below every one of them | 1.25 × the cheapest | **missed** |" in text


def test_what_was_not_measured_is_neither_met_nor_missed():
    text = render(parse([record("nginx", small=small(12)), record("proxy", small=small(24))]))

    assert "| CPU per SSE chunk | ≤ 1.5 × nginx | not measured |  |" in text


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"small": small(20, not_2xx=3)}, "3 answers were not 2xx or broke"),
        ({"small": small(20, counted=False)}, "the vendor saw another number of requests"),
        ({"stream": {"wrong": {"closed": 2}}}, "broken streams: {'closed': 2}"),
        ({"log": {"complete": False}}, "log lines are missing"),
        ({"large": {"error": "RuntimeError: status 413"}}, "large: RuntimeError: status 413"),
        ({"error": "RuntimeError: port 1 is taken"}, "RuntimeError: port 1 is taken"),
    ],
)
def test_what_makes_a_figure_doubtful_is_named(facts, complaint):
    text = render(parse([record("proxy", 7, **facts)]))

    assert complaint in text.partition("proxy, round 7: ")[2]


def test_a_clean_run_complains_about_nothing():
    assert "round 1:" not in render(parse([record("nginx", small=small(12, counted=True))]))


def test_the_tables_replace_what_stood_between_the_marks():
    document = f"# Title\n{RUN.begin}\nold\n{RUN.end}\nafter\n"

    assert placed(document, RUN, "new") == f"# Title\n{RUN.begin}\n\nnew\n\n{RUN.end}\nafter\n"


def test_a_document_without_marks_is_refused():
    with pytest.raises(ValueError, match="has no"):
        placed("# Title\n", RUN, "new")


def test_each_command_has_a_section_of_its_own():
    lines = [record("nginx", small=small(12)), fleet(40.0)]

    assert parse(lines).keys() == {RUN.name, FLEET.name}


def test_only_what_was_measured_is_written():
    kept = f"{RUN.begin}\nkept\n{RUN.end}"

    document = written(f"{kept}\n{FLEET.begin}\n{FLEET.end}\n", parse([fleet(40.0)]))

    assert kept in document
    assert "| 50 proxies | 20.0 |" in document


def test_a_document_that_has_no_place_for_what_was_measured_is_refused():
    with pytest.raises(ValueError, match="no marks for bench fleet"):
        written(f"{RUN.begin}\n{RUN.end}\n", parse([fleet(40.0)]))


def test_what_must_not_be_is_shown_at_its_most_and_not_as_a_median():
    lines = [fleet(40.0, number=n, unconfirmed=count) for n, count in ((1, 0), (2, 0), (3, 1))]

    text = render(parse(lines))

    assert "| pins that not all 50 confirmed | none | 1 | **missed** |" in text
    assert "50 proxies, round 3: pins: 1 pins not confirmed by all" in text


def outage(name, **more):
    facts = {"requests": 9, "failed": 0, "broken_streams": 0, "p99_us": 2000, **more}
    return json.dumps({"round": 1, "target": name, "kind": "outage", "outage": facts})


def test_an_outage_is_compared_with_the_healthy_phase():
    lines = [outage("healthy"), outage("killed"), outage("frozen", p99_us=9000), outage("cut off")]

    assert "| ≤ 5 ms | +7.00 ms | **missed** |" in render(parse(lines))


def test_an_outage_that_was_not_tried_is_not_met():
    text = render(parse([outage("healthy"), outage("killed")]))

    assert "| requests that failed while the store was away | none | not measured |  |" in text


def test_a_fault_that_nobody_noticed_is_named():
    assert "the fault was not noticed" in render(parse([outage("frozen", noticed=False)]))

"""Evals through a real proxy, of a vendor that repeats the system prompt it was given."""

from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest

from proxy.control.eval_run import Pace
from proxy.errors import EvalFailed, InvalidFiles
from proxy.evals.judge import Passed, Refused
from proxy.simvendor.server import SimulatedVendor
from proxy.versions.record import Kind
from tests.control.examining import VERSION, Room, suite
from tests.harness import running_proxy

KIND, COLD = "You are kind.", "You are cold."
DAYS = '[variables.days]\ntype = "number"\nrequired = true\n'


@pytest.fixture
async def room(tmp_path):
    async with SimulatedVendor(record=100) as vendor:
        files = {"version.toml": '[model]\nvendor = "openai"\nid = "gpt-4o"\n', "system.md": KIND}
        async with running_proxy(tmp_path, vendor.url, {"shop": files}) as proxy:
            room = Room(proxy, vendor)
            room.write(suite("rain", "snow"))
            yield room


async def test_the_answers_are_scored_and_the_result_is_kept_with_the_content(room):
    report = await room.evaluate("v1")

    result = report.result
    (kept,) = await room.store.results("shop", result.digest)
    assert kept == result
    assert [(case.name, case.score, case.failed) for case in result.cases] == [
        ("rain", 1.0, ()),
        ("snow", 1.0, ()),
    ]
    assert (result.score, result.by, result.source) == (1.0, "ada@host", "proxyctl")
    assert result.input_tokens == 8
    assert result.at


async def test_what_fails_is_named(room):
    await room.register(COLD)

    report = await room.evaluate("v2")

    assert report.result.score == 0.0
    assert report.result.cases[0].failed == ('contains "kind"',)


async def test_questions_and_variables_are_asked_as_an_app_asks_them(room):
    room.write(
        '[[case]]\nname = "talk"\nexpect = [{ contains = "kind" }]\n'
        'messages = [{ role = "user", content = "Hi" }, { role = "assistant", content = "Yes?" },'
        ' { role = "user", content = "Rain?" }]\n'
    )

    await room.evaluate("v1")

    (body,) = room.asked
    roles = [(one["role"], one["content"]) for one in body["messages"]]
    assert roles[1:] == [("user", "Hi"), ("assistant", "Yes?"), ("user", "Rain?")]
    assert body["model"] == "gpt-4o"
    assert "stream" not in body


async def test_a_case_of_variables_alone_lets_the_version_make_the_question(room):
    room.write(
        '[[case]]\nname = "rain"\nvariables = { days = 3 }\nexpect = [{ contains = "kind" }]\n'
    )
    (room.folder / "user.md").write_text("Rain for {{days}} days?\n")
    await room.proxy.register("shop", {"version.toml": VERSION + DAYS, "system.md": KIND})

    report = await room.evaluate("v2")

    (body,) = room.asked
    assert body["messages"][-1] == {"role": "user", "content": "Rain for 3 days?"}
    assert "proxy_variables" not in body
    assert report.result.score == 1.0


async def test_cases_are_repeated(room):
    room.write(suite("rain", "snow", repeats=2))

    usual = await room.evaluate("v1")
    more = await room.evaluate("v1", repeats=3)

    assert [len(case.scores) for case in usual.result.cases] == [2, 2]
    assert [len(case.scores) for case in more.result.cases] == [3, 3]
    assert usual.result.suite == more.result.suite


async def test_a_scorer_of_the_folder_scores(room):
    evals = suite("rain", expect='python = "scorers.py:half"')
    room.write(evals, scorers="def half(text, case):\n    return 0.5 if case['name'] else 0\n")

    assert (await room.evaluate("v1")).result.score == 0.5


async def test_what_a_scorer_prints_is_not_in_the_way_of_scripts(room, capsys):
    evals = suite("rain", expect='python = "scorers.py:chatty"')
    room.write(evals, scorers="def chatty(text, case):\n    print('thinking')\n    return 1\n")

    await room.evaluate("v1")

    assert capsys.readouterr().out == ""


async def test_a_scorer_that_cannot_be_run_costs_no_question(room):
    room.write(suite("rain", expect='python = "scorers.py:half"'), scorers="1 / 0\n")

    with pytest.raises(InvalidFiles):
        await room.evaluate("v1")

    assert room.asked == []


async def test_it_advances_where_somebody_watches(room):
    await room.evaluate("v1")

    ((what, total, known),) = room.seen.begun
    assert what.startswith("shop-v1-")
    assert (total, known, len(room.seen.heard_of), room.seen.ended) == (2, 0, 2, 1)


async def test_a_result_of_the_simulated_vendor_says_so(room):
    assert (await room.evaluate("v1")).result.simulated


# --- failures


async def test_a_failure_that_passes_is_asked_again(room):
    room.refuse(429, 503, retry_after="0")

    report = await room.evaluate("v1")

    assert report.result.score == 1.0
    assert len(room.asked) == 4


async def test_a_case_that_is_not_answered_scores_nothing_and_says_why(room):
    room.write(suite("rain", "snow", "hail"))
    room.refuse(400)

    report = await room.evaluate("v1")

    rain = report.result.cases[0]
    assert (rain.score, rain.error) == (0.0, "http_400")
    assert report.result.score == pytest.approx(2 / 3)


async def test_an_answer_that_takes_too_long_is_none(room):
    room.write(suite("rain", "snow", "[[sim:stall s=9]]"))

    report = await room.evaluate("v1", pace=Pace(concurrency=3, timeout_s=0.3))

    assert {case.error for case in report.result.cases} == {"", "timeout"}


async def test_when_most_fail_in_the_same_way_nothing_is_kept(room):
    room.write(suite("rain", "snow", "hail"))
    room.refuse(400, 400)

    with pytest.raises(EvalFailed, match="2 of 3 questions failed with http_400"):
        await room.evaluate("v1")

    assert await room.store.results("shop", room.proxy.version("shop", 1).digest) == []
    assert len(room.asked) == 2


async def test_many_failures_at_first_end_a_long_run(room):
    room.write(suite(*(f"case {number}" for number in range(90))))
    room.refuse(*[400] * 90)

    with pytest.raises(EvalFailed, match="20 of 90"):
        await room.evaluate("v1")


async def test_a_key_that_is_refused_ends_the_run_at_once(room):
    room.write(suite(*(f"case {number}" for number in range(30))))
    room.refuse(401)

    with pytest.raises(EvalFailed, match="upstream_auth"):
        await room.evaluate("v1")

    assert len(room.asked) == 1


async def test_another_version_that_answers_ends_the_run(room):
    await room.register(COLD)

    @asynccontextmanager
    async def opened(subject):
        async with room.way().opened(subject) as place:
            yield replace(place, model="shop")  # what prod holds

    with pytest.raises(EvalFailed, match="was answered by the version with the digest"):
        await room.evaluate("v2", opened=opened)


# --- going on


async def test_a_run_that_was_broken_off_goes_on(room):
    room.write(suite("rain", "snow", "hail", "wind", "fog"))
    room.refuse(400, 400, 400, answered=2)
    with pytest.raises(EvalFailed):
        await room.evaluate("v1")

    report = await room.evaluate("v1")

    assert report.resumed == 2
    assert report.result.score == 1.0
    assert len(room.asked) == 5 + 3
    assert list((room.proxy.directory / "evals").iterdir()) == []


async def test_fresh_begins_anew(room):
    room.write(suite("rain", "snow", "hail", "wind", "fog"))
    room.refuse(400, 400, 400, answered=2)
    with pytest.raises(EvalFailed):
        await room.evaluate("v1")

    report = await room.evaluate("v1", fresh=True)

    assert report.resumed == 0
    assert len(room.asked) == 5 + 5


async def test_a_changed_suite_begins_anew(room):
    room.write(suite("rain", "snow", "hail"))
    room.refuse(400, 400, answered=1)
    with pytest.raises(EvalFailed):
        await room.evaluate("v1")
    room.write(suite("rain", "snow", "fog"))

    assert (await room.evaluate("v1")).resumed == 0


# --- what it means


async def test_the_gate_follows_the_files_and_the_result_is_judged(room):
    room.write(suite("rain", "snow", gate="min_score = 0.9"))
    await room.register(COLD)

    good, bad = await room.evaluate("v1"), await room.evaluate("v2")

    assert (await room.store.guards("shop")).gate == good.standing.gate
    assert (good.gate.changed, bad.gate.changed) == (False, False)  # register had followed
    assert good.standing.judged == Passed(good.result.pointer)
    assert isinstance(bad.standing.judged, Refused)
    assert bad.json()["reasons"][0]["code"] == "below_min_score"
    assert not bad.json()["passes"]


async def test_what_an_eval_does_to_the_gate_is_said(room):
    room.write(suite("rain", gate="min_score = 0.9"))
    stricter = await room.evaluate("v1")
    room.write(suite("rain", gate="min_score = 0.1"))
    looser = await room.evaluate("v1")

    assert stricter.json()["gate_changed"]
    assert (looser.gate.changed, looser.gate.looser) == (False, True)
    assert looser.standing.gate == stricter.standing.gate


async def test_a_pull_request_leaves_the_gate_in_force_alone(room):
    room.write(suite("rain", gate="min_score = 0.5"))
    in_force = (await room.evaluate("v1")).gate.gate
    room.write(suite("snow", gate="min_score = 0.9"))

    report = await room.evaluate("v1", gate=False)

    assert (await room.store.guards("shop")).gate == in_force
    assert (report.gate.changed, report.gate.pending) == (False, True)
    assert report.gate.left == in_force.suite
    assert report.standing.gate.min_score == 0.9


async def test_that_the_cases_are_others_than_before_is_said(room):
    first = await room.evaluate("v1")
    room.write(suite("hail"))

    other, again = await room.evaluate("v1"), await room.evaluate("v1")

    assert first.earlier is None
    assert other.earlier.suite == first.result.suite == other.gate.left
    assert again.earlier is None


async def test_what_prod_holds_is_evaluated_beside_where_the_gate_compares_with_it(room):
    room.write(suite("rain", "snow", gate="max_regression = 0.02"))
    await room.register(COLD)

    report = await room.evaluate("v2")

    held = room.proxy.version("shop", 1)
    assert room.opened == [report.subject.info.id, held.id]
    assert report.json()["evaluated_beside"] == held.id
    assert len(await room.store.results("shop", held.digest)) == 1
    assert report.standing.comparison.difference == -1.0
    assert not report.standing.passes


async def test_what_prod_holds_is_not_evaluated_twice(room):
    room.write(suite("rain", gate="max_regression = 0.02"))
    await room.evaluate("v1")
    await room.register(COLD)

    report = await room.evaluate("v2")

    assert report.baseline is None
    assert report.standing.before is not None


async def test_without_a_baseline_the_gate_has_nothing_to_compare_with(room):
    room.write(suite("rain", gate="max_regression = 0.02"))
    await room.register(COLD)

    report = await room.evaluate("v2", baseline=False)

    assert [reason["code"] for reason in report.json()["reasons"]] == ["no_baseline"]


async def test_without_keeping_nothing_is_stored_and_the_verdict_is_the_same(room):
    await room.register(COLD)
    room.write(suite("rain", "snow", gate="max_regression = 0.02"))
    gate = (await room.store.guards("shop")).gate
    before = await room.store.history("shop")

    report = await room.evaluate("v2", keep=False)

    assert not report.standing.passes
    assert report.standing.before is not None
    assert await room.store.history("shop") == before
    assert (await room.store.guards("shop")).gate == gate != report.standing.gate


async def test_what_is_known_is_not_asked_again_where_only_the_missing_is_wanted(room):
    first = await room.evaluate("v1")
    asked = len(room.asked)

    again = await room.evaluate("v1", if_missing=True)

    assert (again.result, again.known, len(room.asked)) == (first.result, True, asked)
    assert again.standing.judged == first.standing.judged


async def test_what_is_missing_is_asked(room):
    report = await room.evaluate("v1", if_missing=True)

    assert (report.known, len(room.asked)) == (False, 2)


async def test_a_simulated_result_is_missing_where_it_does_not_count(room):
    await room.evaluate("v1")
    evals = (room.folder / "evals.toml").read_text()
    room.write(evals.replace("simulated = true", "simulated = false"))

    report = await room.evaluate("v1", if_missing=True)

    assert not report.known


async def test_the_history_tells_of_an_eval(room):
    report = await room.evaluate("v1")

    events = [e for e in await room.store.history("shop") if e.kind is Kind.EVAL]
    assert [event.verdict for event in events] == [report.result.pointer]
    assert msgspec.json.decode(events[0].detail)["score"] == 1.0

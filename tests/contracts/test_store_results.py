"""What every store promises about results and drills: kept for good, and once."""

from datetime import datetime

import pytest
from msgspec import structs

from proxy.errors import InvalidArgument
from proxy.store.base import MAX_REPORT_BYTES, MAX_RESULT_BYTES, MOST_RESULTS
from proxy.versions.evidence import CaseResult
from proxy.versions.record import Kind
from tests.contracts.places import DIGEST, MODEL, operation, registered
from tests.contracts.proof import drill, result


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b")


async def test_a_result_is_kept_for_content_that_nobody_registered(store):
    given = result(DIGEST, 0.75)

    kept = await store.attach(given, operation())

    assert kept.created
    assert datetime.fromisoformat(kept.result.at).tzinfo is not None
    assert structs.replace(kept.result, at="") == given
    assert await store.results(MODEL, DIGEST) == [kept.result]


async def test_the_same_result_twice_is_kept_once(store):
    first = await store.attach(result(DIGEST), operation())

    again = await store.attach(result(DIGEST), operation())

    assert not again.created
    assert again.result == first.result
    assert await store.results(MODEL, DIGEST) == [first.result]


async def test_a_result_is_found_by_its_content_only(store, versions):
    await store.attach(result(versions[0].digest), operation())

    assert await store.results(MODEL, versions[1].digest) == []
    assert await store.results("ranker", versions[0].digest) == []


async def test_results_are_there_newest_first(store):
    kept = [await store.attach(result(DIGEST, score / 10), operation()) for score in range(5)]

    found = await store.results(MODEL, DIGEST)

    assert [one.at for one in found] == sorted((one.result.at for one in kept), reverse=True)
    assert {one.pointer for one in found} == {one.result.pointer for one in kept}


async def test_a_result_is_in_the_history(store, versions):
    kept = (await store.attach(result(versions[0].digest, 0.75), operation())).result

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.digest, event.verdict) == (
        Kind.EVAL,
        versions[0].digest,
        kept.pointer,
    )
    assert '"score": 0.75' in event.detail


@pytest.mark.parametrize(
    "given",
    [
        result(DIGEST, 1.5),
        result("nonsense"),
        result(DIGEST, suite="nonsense"),
        result(DIGEST, cases=(CaseResult("x" * MAX_RESULT_BYTES, 1.0),)),
        result(DIGEST, by="\ud800"),
    ],
    ids=["score", "digest", "suite", "size", "unicode"],
)
async def test_a_result_that_cannot_be_is_refused(store, given):
    with pytest.raises(InvalidArgument):
        await store.attach(given, operation())

    assert await store.results(MODEL, DIGEST) == []


async def test_one_result_too_many_is_refused(store):
    for number in range(MOST_RESULTS):
        await store.attach(result(DIGEST, elapsed_ms=float(number)), operation())

    with pytest.raises(InvalidArgument):
        await store.attach(result(DIGEST, elapsed_ms=0.5), operation())

    assert len(await store.results(MODEL, DIGEST)) == MOST_RESULTS


async def test_a_drill_is_the_last_one_and_in_the_history_with_its_report(store, versions):
    done = drill(*versions)

    event = await store.note_drill(done, '{"steps": [1]}', reason="", operation=operation())

    assert (event.kind, event.label, event.detail) == (Kind.DRILL, "drill", '{"steps": [1]}')
    assert (await store.history(MODEL))[0] == event
    (kept,) = await store.drills()
    assert structs.replace(kept, at="") == done
    assert (await store.guards(MODEL)).drill == kept
    assert kept.at == event.at


async def test_a_later_drill_takes_the_place_of_the_last_one(store, versions):
    await store.note_drill(drill(*versions), "{}", reason="", operation=operation())
    later = drill(*versions, reverted=False, rollback_ms=9.5)

    await store.note_drill(later, "{}", reason="", operation=operation())

    (kept,) = await store.drills()
    assert structs.replace(kept, at="") == later
    assert len([e for e in await store.history(MODEL) if e.kind is Kind.DRILL]) == 2


async def test_a_drill_is_noted_once_for_one_operation(store, versions):
    asked = operation()
    first = await store.note_drill(drill(*versions), "{}", reason="", operation=asked)

    assert await store.note_drill(drill(*versions), "{}", reason="", operation=asked) == first
    assert len([e for e in await store.history(MODEL) if e.kind is Kind.DRILL]) == 1


async def test_a_report_that_is_too_large_is_refused(store, versions):
    report = " " * (MAX_REPORT_BYTES + 1)

    with pytest.raises(InvalidArgument):
        await store.note_drill(drill(*versions), report, reason="", operation=operation())


async def test_where_nothing_was_rehearsed_there_is_no_drill(store, versions):
    assert await store.drills() == []
    assert (await store.guards(MODEL)).drill is None

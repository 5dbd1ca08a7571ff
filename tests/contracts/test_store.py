"""What every store promises: registering, reading, history and freezes.

Swaps are in `test_store_swap`, watching in `test_store_watch`, proxies in `test_store_fleet`.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from proxy.errors import InvalidArgument, VersionConflict
from proxy.store.base import NewVersion
from proxy.versions.record import Guards, Kind, Meta
from tests.contracts.places import (
    MODEL,
    change,
    new,
    operation,
    order,
    registered,
    settled,
)


async def test_the_first_version_has_number_one(store):
    done = await store.register(new("a"), operation())

    assert done.created
    assert (done.info.model, done.info.number) == (MODEL, 1)
    assert done.info.id == f"{MODEL}-v1-{done.info.digest[7:13]}"


async def test_the_same_content_is_registered_once(store):
    first = await store.register(new("a", by="ada"), operation())

    again = await store.register(new("a", by="bob", message="again"), operation())

    assert not again.created
    assert again.info == first.info


async def test_any_difference_makes_the_next_number(store):
    versions = await registered(store, "a", "b", "a ")

    assert [info.number for info in versions] == [1, 2, 3]


async def test_models_are_numbered_on_their_own(store):
    await registered(store, "a", "b")

    (other,) = await registered(store, "a", model="ranker")

    assert other.number == 1
    assert await store.models() == ["ranker", MODEL]


async def test_what_was_registered_reads_back(store):
    meta = Meta("ada", 'größer / \\ "1"\n', f"{MODEL}-v1-abcdef", "c0ffee", True)
    asked = new("content with \x00 and ü")

    done = await store.register(NewVersion(MODEL, asked.content, asked.digest, meta), operation())

    version = await store.version(MODEL, 1)
    assert version.content == asked.content
    assert version.info == done.info
    assert (version.info.meta, version.info.bytes) == (meta, len(asked.content))


async def test_unknown_git_state_stays_unknown(store):
    await store.register(new("a", dirty=None, commit=None), operation())
    await store.register(new("b", dirty=False, commit="c0ffee"), operation())

    assert [info.meta.dirty for info in await store.versions(MODEL)] == [None, False]


async def test_the_time_of_registration_is_the_stores(store):
    (info,) = await registered(store, "a")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", info.at)
    assert abs(datetime.fromisoformat(info.at) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_versions_are_listed_by_number(store):
    versions = await registered(store, *"abcdefghijkl")

    assert await store.versions(MODEL) == versions


async def test_what_is_not_there_reads_as_nothing(store):
    assert await store.models() == []
    assert await store.versions(MODEL) == []
    assert await store.version(MODEL, 1) is None
    assert await store.history(MODEL) == []
    assert await store.guards(MODEL) == Guards(frozen=False, frozen_reason="", revoked={})
    assert await store.members() == []


async def test_an_id_gets_longer_only_where_it_would_be_taken(store):
    digests = [
        "abcdef" + rest for rest in ("0" * 58, "1" * 58, "10" + "2" * 56, "1" * 4 + "3" * 54)
    ]
    digests.append("fedcba" + "0" * 58)

    ids = []
    for number, digest in enumerate(digests):
        asked = NewVersion(MODEL, str(number).encode(), "sha256:" + digest, Meta("ada"))
        ids.append((await store.register(asked, operation())).info.id)

    assert ids == [
        f"{MODEL}-v1-abcdef",
        f"{MODEL}-v2-abcdef1",
        f"{MODEL}-v3-abcdef10",
        f"{MODEL}-v4-abcdef11",
        f"{MODEL}-v5-fedcba",
    ]


async def test_two_models_may_have_the_same_short_digest(store):
    (mine,), (other,) = await registered(store, "a"), await registered(store, "a", model="ranker")

    assert mine.id.rpartition("-")[2] == other.id.rpartition("-")[2]


async def test_other_bytes_under_a_registered_digest_are_refused(store):
    asked = new("a")
    await store.register(asked, operation())

    with pytest.raises(VersionConflict):
        await store.register(NewVersion(MODEL, b"b", asked.digest, asked.meta), operation())

    assert (await store.version(MODEL, 1)).content == b"a"


async def test_a_repeated_registration_gets_the_first_answer(store):
    asked, id = new("a"), operation()
    first = await store.register(asked, id)
    await registered(store, "b")

    again = await store.register(asked, id)

    assert again == first
    assert len(await store.history(MODEL)) == 2


@pytest.mark.parametrize("other", [new("b"), new("a", model="ranker")], ids=["content", "model"])
async def test_an_operation_id_stands_for_one_registration(store, other):
    id = operation()
    await store.register(new("a"), id)

    with pytest.raises(InvalidArgument):
        await store.register(other, id)

    assert await store.models() == [MODEL]
    assert len(await store.versions(MODEL)) == 1


async def test_an_operation_id_stands_for_one_kind_of_change(store):
    id = operation()
    (info,) = await registered(store, "a")
    await store.swap(order(change(info), operation=id))

    with pytest.raises(InvalidArgument):
        await store.register(new("a"), id)
    with pytest.raises(InvalidArgument):
        await store.freeze(MODEL, True, by="ada", reason="", operation=id)


@pytest.mark.slow
async def test_numbers_have_no_gap_and_no_duplicate(another):
    stores = [another() for _ in range(4)]

    done = await settled(
        stores[n % 4].register(new(f"content {n}"), operation()) for n in range(200)
    )

    assert sorted(each.info.number for each in done) == list(range(1, 201))
    assert [info.number for info in await stores[0].versions(MODEL)] == list(range(1, 201))


async def test_of_equal_registrations_at_once_one_creates(another):
    stores = [another() for _ in range(4)]

    done = await settled(stores[n % 4].register(new("a"), operation()) for n in range(20))

    assert sum(each.created for each in done) == 1
    assert {each.info.id for each in done} == {done[0].info.id}


async def test_a_registration_is_an_event(store):
    id = operation()

    done = await store.register(new("a", by="ada", message="first try"), id)

    (event,) = await store.history(MODEL)
    assert (event.kind, event.version, event.digest) == (
        Kind.REGISTER,
        done.info.id,
        done.info.digest,
    )
    assert (event.by, event.operation, event.at) == ("ada", id, done.info.at)
    assert (event.epoch, event.reason, event.label) == (0, "first try", "")


@pytest.mark.parametrize(
    "asked",
    [
        new("a", model="No"),
        new("a", model="x-v1-abcdef"),
        NewVersion(MODEL, b"a", "sha256:abc", Meta("ada")),
        NewVersion(MODEL, bytes(1024 * 1024 + 1), new("a").digest, Meta("ada")),
        new("a", message="\ud800"),
    ],
    ids=["name", "name like an id", "digest", "size", "text"],
)
async def test_what_makes_no_sense_is_not_registered(store, asked):
    with pytest.raises(InvalidArgument):
        await store.register(asked, operation())

    assert await store.models() == []


@pytest.mark.parametrize("id", ["", "a|b", "a b", "a\n", "ü", "x" * 129])
async def test_an_operation_id_fits_into_the_text_of_a_pin(store, id):
    with pytest.raises(InvalidArgument):
        await store.register(new("a"), id)


async def test_history_is_newest_first_and_bounded(store):
    versions = await registered(store, "a", "b", "c")

    latest = await store.history(MODEL, limit=2)

    assert [event.version for event in latest] == [versions[2].id, versions[1].id]
    assert await store.history(MODEL, limit=0) == []


async def test_each_model_has_its_own_history(store):
    await registered(store, "a")
    await registered(store, "a", model="ranker")

    assert len(await store.history("ranker")) == 1


async def test_a_freeze_is_an_event_and_a_guard(store):
    id = operation()

    event = await store.freeze(MODEL, True, by="ada", reason="launch", operation=id)

    assert (event.kind, event.by, event.reason) == (Kind.FREEZE, "ada", "launch")
    assert (event.model, event.operation) == (MODEL, id)
    assert await store.history(MODEL) == [event]
    assert await store.guards(MODEL) == Guards(True, "launch", {})


async def test_an_unfreeze_lifts_the_guard(store):
    await store.freeze(MODEL, True, by="ada", reason="launch", operation=operation())

    event = await store.freeze(MODEL, False, by="bob", reason="", operation=operation())

    assert (event.kind, event.by, event.reason) == (Kind.UNFREEZE, "bob", "")
    assert not (await store.guards(MODEL)).frozen


@pytest.mark.parametrize("frozen", [True, False])
async def test_freezing_and_unfreezing_twice_is_no_error(store, frozen):
    for reason in ("one", "two"):
        await store.freeze(MODEL, frozen, by="ada", reason=reason, operation=operation())

    assert await store.guards(MODEL) == Guards(frozen, "two" if frozen else "", {})


async def test_a_freeze_without_a_reason_holds(store):
    await store.freeze(MODEL, True, by="ada", reason="", operation=operation())

    assert (await store.guards(MODEL)).frozen


async def test_a_repeated_freeze_gets_the_first_answer(store):
    id = operation()
    first = await store.freeze(MODEL, True, by="ada", reason="launch", operation=id)
    await store.freeze(MODEL, False, by="ada", reason="", operation=operation())

    again = await store.freeze(MODEL, True, by="ada", reason="launch", operation=id)

    assert again == first
    assert not (await store.guards(MODEL)).frozen


async def test_stores_share_what_they_keep(another):
    (info,) = await registered(another(), "a")

    assert await another().versions(MODEL) == [info]


async def test_a_store_describes_itself_in_one_line(store):
    line = await store.ping()

    assert line.startswith(("sqlite ", "redis"))
    assert "\n" not in line

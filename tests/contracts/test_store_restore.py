"""What every store promises about versions that it had lost."""

from dataclasses import replace

import pytest

from proxy.errors import InvalidArgument, VersionConflict, VersionCorrupt
from proxy.store.base import NewVersion
from proxy.versions.content import MAX_CONTENT_BYTES
from proxy.versions.identity import digest
from proxy.versions.record import Kind, Meta, Registered, Version
from tests.contracts.places import (
    MODEL,
    change,
    new,
    operation,
    order,
    pin,
    registered,
    restorable,
    settled,
)

META = {"by": "bob", "message": 'größer / "1"\n', "commit": "c0ffee", "dirty": False}
LOST = restorable("lost", 3, parent=f"{MODEL}-v2-abcdef", **META)


async def restore(store, version, **options):
    return await store.restore(version, **{"by": "ada", "operation": operation(), **options})


async def everything(store):
    """Return what a restoring could have changed."""
    models = await store.models()
    versions = [info for model in models for info in await store.versions(model)]
    contents = [await store.version(info.model, info.number) for info in versions]
    return models, contents, await store.history(MODEL)


async def test_a_lost_version_is_there_again_as_it_was(store):
    done = await restore(store, LOST)

    assert done == Registered(LOST.info, created=True)
    assert await store.version(MODEL, 3) == LOST
    assert await store.versions(MODEL) == [LOST.info]
    assert await store.models() == [MODEL]


async def test_a_version_without_metadata_is_restored_without(store):
    bare = restorable("bare", 1)

    await restore(store, bare)

    assert await store.version(MODEL, 1) == bare


async def test_the_next_number_lies_above_a_restored_one(store):
    await registered(store, "a")
    await restore(store, LOST)

    (info,) = await registered(store, "b")

    assert info.number == 4


async def test_a_number_below_the_last_is_restored_into_its_gap(store):
    await restore(store, LOST)
    await restore(store, restorable("first", 1))

    (info,) = await registered(store, "b")

    assert [each.number for each in await store.versions(MODEL)] == [1, 3, 4]
    assert info.number == 4


async def test_what_was_restored_is_not_registered_anew(store):
    await restore(store, LOST)

    done = await store.register(new("lost"), operation())

    assert done == Registered(LOST.info, created=False)


async def test_what_was_restored_may_be_pinned(store):
    await restore(store, LOST)

    swapped = await pin(store, LOST.info)

    assert swapped.moved[0].id == LOST.info.id


async def test_a_restoring_is_an_event(store):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info), floor=6))
    id = operation()

    await restore(store, LOST, operation=id)

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.version, event.digest) == (
        Kind.RESTORE,
        LOST.info.id,
        LOST.info.digest,
    )
    assert (event.by, event.operation, event.epoch, event.label) == ("ada", id, 7, "")
    assert event.at > LOST.info.at or event.at[:4] >= "2025"


async def test_what_is_there_is_not_restored(store):
    await registered(store, "a")
    version = await store.version(MODEL, 1)
    before = await everything(store)

    done = await restore(store, version)

    assert done == Registered(version.info, created=False)
    assert await everything(store) == before


async def test_what_is_there_keeps_its_own_metadata(store):
    (info,) = await registered(store, "a")
    version = restorable("a", 1, by="somebody else")

    done = await restore(store, version)

    assert done == Registered(info, created=False)
    assert (await store.version(MODEL, 1)).info == info


async def test_damaged_bytes_are_put_right(store, place):
    (info,) = await registered(store, "a")
    whole = await store.version(MODEL, 1)
    place.damage(MODEL, 1)

    done = await restore(store, restorable("a", 1, by="somebody else"))

    assert done == Registered(info, created=True)
    assert await store.version(MODEL, 1) == whole
    assert (await store.history(MODEL))[0].kind is Kind.RESTORE


async def test_damaged_bytes_are_not_replaced_by_another_version(store, place):
    await registered(store, "a")
    place.damage(MODEL, 1)
    before = await everything(store)

    with pytest.raises(VersionConflict):
        await restore(store, restorable("other", 1))

    assert await everything(store) == before


async def test_a_repeated_restoring_gets_the_first_answer(store):
    id = operation()
    first = await restore(store, LOST, operation=id)

    again = await restore(store, LOST, operation=id)

    assert again == first
    assert len(await store.history(MODEL)) == 1


@pytest.mark.parametrize(
    "other",
    [restorable("other", 4), restorable("lost", 3, model="ranker"), restorable("lost", 5)],
    ids=["version", "model", "number"],
)
async def test_an_operation_id_stands_for_one_restoring(store, other):
    id = operation()
    await restore(store, LOST, operation=id)
    before = await everything(store)

    with pytest.raises(InvalidArgument):
        await restore(store, other, operation=id)
    with pytest.raises(InvalidArgument):
        await store.register(new("lost"), id)

    assert await everything(store) == before


@pytest.mark.parametrize(
    "version",
    [
        restorable("other", 1),
        restorable("a", 2),
        restorable("a", 5),
        restorable("b", 1),
        replace(
            restorable("a", 1),
            info=replace(restorable("a", 1).info, id=f"{MODEL}-v1-{new('a').digest[7:14]}"),
        ),
    ],
    ids=["number", "number and digest", "digest", "both of others", "id"],
)
async def test_what_belongs_to_another_version_is_not_taken_from_it(store, version):
    await registered(store, "a", "b")
    before = await everything(store)

    with pytest.raises(VersionConflict):
        await restore(store, version)

    assert await everything(store) == before


async def test_versions_of_two_models_do_not_conflict(store):
    await registered(store, "lost", model="ranker")

    assert (await restore(store, LOST)).created


async def test_a_short_digest_that_another_version_has_by_now_is_no_conflict(store):
    """The numbers in their ids tell them apart."""
    lost = restorable("lost", 3)
    taken = NewVersion(MODEL, b"x", lost.info.digest[:40] + "0" * 31, Meta("ada"))
    (other,) = [(await store.register(taken, operation())).info]

    done = await restore(store, lost)

    assert done.created
    assert [info.id for info in await store.versions(MODEL)] == [other.id, lost.info.id]


async def test_content_that_was_changed_is_not_restored(store):
    with pytest.raises(VersionCorrupt):
        await restore(store, replace(LOST, content=b"other"))

    assert await store.models() == []


def changed(**fields):
    return Version(replace(LOST.info, **fields), LOST.content)


def too_large():
    content = bytes(MAX_CONTENT_BYTES + 1)
    id = f"{MODEL}-v3-{digest(content)[7:13]}"
    return Version(replace(LOST.info, digest=digest(content), id=id), content)


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(changed(model="No"), id="no name"),
        pytest.param(changed(model="ranker"), id="another model"),
        pytest.param(changed(number=4), id="another number"),
        pytest.param(changed(number=-3), id="no number"),
        pytest.param(changed(id="no id"), id="no id"),
        pytest.param(changed(id=f"{MODEL}-v3-ffffff"), id="another's digits"),
        pytest.param(changed(id=f"ranker-v3-{LOST.info.digest[7:13]}"), id="another model's id"),
        pytest.param(changed(digest="sha256:abc"), id="no digest"),
        pytest.param(changed(at="yesterday"), id="no time"),
        pytest.param(changed(at="2026-11-23T14:18:00.007"), id="no time zone"),
        pytest.param(changed(at="2026-11-23T15:18:00.007+01:00"), id="another time zone"),
        pytest.param(changed(at="1926-11-23T14:18:00.007Z"), id="a time before 1970"),
        pytest.param(changed(meta=Meta("\ud800")), id="text"),
        pytest.param(too_large(), id="size"),
    ],
)
async def test_what_was_never_registered_like_this_is_refused(store, version):
    with pytest.raises(InvalidArgument):
        await restore(store, version)

    assert await store.models() == []


async def test_text_that_is_no_unicode_is_refused(store):
    with pytest.raises(InvalidArgument):
        await restore(store, LOST, by="\udcff")
    with pytest.raises(InvalidArgument):
        await restore(store, LOST, operation="a|b")


async def test_of_equal_restorings_at_once_one_creates(another):
    stores = [another() for _ in range(4)]

    done = await settled(restore(stores[n % 4], LOST) for n in range(12))

    assert sum(each.created for each in done) == 1
    assert {each.info for each in done} == {LOST.info}
    assert len(await stores[0].history(MODEL)) == 1


async def test_restorings_and_registrations_at_once_share_no_number(another):
    stores = [another() for _ in range(4)]
    lost = [restorable(f"lost {number}", number) for number in range(1, 21)]

    done = await settled(
        call
        for n, version in enumerate(lost)
        for call in (
            stores[n % 4].register(new(f"new {n}"), operation()),
            restore(stores[(n + 1) % 4], version),
        )
    )

    refused = [each for each in done if isinstance(each, BaseException)]
    kept = [each.info for each in done if not isinstance(each, BaseException)]
    assert {type(each) for each in refused} <= {VersionConflict}
    assert len({info.number for info in kept}) == len({info.digest for info in kept}) == len(kept)
    assert await stores[0].versions(MODEL) == sorted(kept, key=lambda info: info.number)
    for info in kept:
        version = await stores[0].version(MODEL, info.number)
        assert digest(version.content) == info.digest


async def test_a_restoring_races_with_the_registration_of_the_same_content(another):
    stores = [another() for _ in range(4)]

    done = await settled(
        restore(store, LOST) if n % 2 else store.register(new("lost"), operation())
        for n, store in enumerate(stores)
    )

    kept = [each for each in done if not isinstance(each, BaseException)]
    assert {type(each) for each in done} <= {Registered, VersionConflict}
    assert sum(each.created for each in kept) == 1
    assert len(await stores[0].versions(MODEL)) == 1

"""What every store promises about proxies: their leases, and who is missed."""

import asyncio
from dataclasses import replace

import pytest

from proxy.errors import InvalidArgument
from proxy.versions.record import Member
from tests.contracts.places import MODEL

MEMBER = Member(
    "web-1",
    7,
    {f"{MODEL}@prod": f"{MODEL}-v1-abcdef"},
    release="1.2",
    fingerprint="ff00",
    state="serving",
    detail="ü",
    instance="a1b2",
    store="following",
    contact_s=0.25,
    older=3,
)


async def keys(store):
    return [member.key for member in await store.members()]


async def liveness(store):
    return {member.key: member.live for member in await store.members()}


async def test_a_report_makes_a_member(another):
    await another().report(MEMBER)

    (member,) = await another().members()

    assert 0 <= member.age_s < 1
    assert member == replace(MEMBER, age_s=member.age_s, live=True)


async def test_a_report_replaces_the_one_before(store):
    await store.report(Member("web-1", 7, {}))

    await store.report(Member("web-1", 8, {}))

    assert [(member.name, member.epoch) for member in await store.members()] == [("web-1", 8)]


async def test_instances_of_one_name_are_members_of_their_own(store):
    for instance in ("", "old", "new"):
        await store.report(Member("web-1", 0, {}, instance=instance))

    assert await keys(store) == ["web-1", "web-1/new", "web-1/old"]


async def test_members_are_listed_by_name_and_instance(store):
    for name in ("web-2", "web-10", "a b:c", "web-1"):
        await store.report(Member(name, 0, {}))
    await store.report(Member("web", 0, {}, instance="z"))

    assert await keys(store) == ["a b:c", "web/z", "web-1", "web-10", "web-2"]


async def test_who_falls_silent_is_a_member_that_is_not_live(another):
    store = another(lease_s=0.1)
    await store.report(MEMBER)
    assert (await store.members())[0].live

    await asyncio.sleep(0.15)

    (member,) = await store.members()
    assert not member.live
    assert 0.1 <= member.age_s < 1
    assert member == replace(MEMBER, age_s=member.age_s, live=False)


async def test_who_falls_silent_while_draining_is_listed_too(another):
    store = another(lease_s=0.05)
    await store.report(replace(MEMBER, state="draining"))

    await asyncio.sleep(0.1)

    assert [(one.state, one.live) for one in await store.members()] == [("draining", False)]


async def test_who_was_silent_for_long_is_missed_no_more(another):
    store = another(lease_s=0.05, missed_s=0.2)
    await store.report(MEMBER)
    assert len(await store.members()) == 1

    await asyncio.sleep(0.25)

    assert await store.members() == []


async def test_a_lease_that_is_renewed_does_not_run_out(another):
    store = another(lease_s=0.4)

    for _ in range(3):
        await store.report(MEMBER)
        await asyncio.sleep(0.15)

    assert await liveness(store) == {MEMBER.key: True}


async def test_who_reports_again_is_live_again(another):
    store = another(lease_s=0.1)
    await store.report(MEMBER)
    await asyncio.sleep(0.15)
    assert await liveness(store) == {MEMBER.key: False}

    await store.report(MEMBER)
    await asyncio.sleep(0.02)  # an age that was looked at holds for a twentieth of a lease

    assert await liveness(store) == {MEMBER.key: True}


async def test_one_is_live_and_another_is_missed(another):
    store = another(lease_s=0.2)
    await store.report(Member("gone", 0, {}))
    await asyncio.sleep(0.25)

    await store.report(Member("here", 0, {}))

    assert await liveness(store) == {"gone": False, "here": True}


async def test_who_leaves_is_gone_at_once(store):
    await store.report(MEMBER)
    await store.report(Member("web-1", 0, {}))
    assert len(await store.members()) == 2

    await store.leave(MEMBER.key)
    await store.leave(MEMBER.key)

    assert await keys(store) == ["web-1"]


async def test_what_changes_between_two_looks_is_seen_at_the_second(another):
    """A command looks every few milliseconds while it waits for a fleet."""
    store, proxies = another(), another()
    for name in ("stays", "switches", "leaves"):
        await proxies.report(Member(name, 1, {}))
    assert len(await store.members()) == 3

    await proxies.report(Member("switches", 2, {}))
    await proxies.report(Member("comes", 2, {}))
    await proxies.leave("leaves")

    seen = {member.key: member.epoch for member in await store.members()}
    assert seen == {"comes": 2, "stays": 1, "switches": 2}


async def test_who_comes_back_after_leaving_is_a_member(store):
    for epoch in (1, 2):
        await store.report(Member("web-1", epoch, {}))
        await store.members()
        await store.leave("web-1")
        assert await store.members() == []

    await store.report(Member("web-1", 3, {}))

    assert [member.epoch for member in await store.members()] == [3]


@pytest.mark.parametrize("name", ["\ud800", "web-\udcff"])
async def test_a_name_that_is_no_unicode_is_refused(store, name):
    with pytest.raises(InvalidArgument):
        await store.report(Member(name, 0, {}))
    with pytest.raises(InvalidArgument):
        await store.leave(name)

"""Proxies in Redis: leases that are gone, what a look at the fleet costs, and what it makes of
what others wrote."""

import asyncio

import pytest

from proxy.errors import StoreUnsafe
from proxy.store.redis_keys import Keys
from proxy.versions.record import Member
from tests.store.story import refused

KEYS = Keys()


@pytest.fixture
def store(redis_store):
    return redis_store


def calls(server, command):
    return server.run("INFO", "commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


async def report(store, *names):
    for name in names:
        await store.report(Member(name, 0, {}))


async def test_names_of_leases_that_are_gone_do_not_pile_up(server, connect):
    store = connect(server.url, missed_s=0.05)
    await report(store, *(f"gone-{number}" for number in range(70)))
    await asyncio.sleep(0.1)
    await report(connect(server.url), "here")

    await store.members()

    assert server.run("SMEMBERS", KEYS.members) == {b"here"}


async def test_more_names_than_a_script_can_take_are_swept_up_in_turn(server, store):
    names = [f"gone-{number}" for number in range(12_000)]
    server.run("SADD", KEYS.members, *names)
    await report(store, "here")

    for left in (11_001, 10_001):
        assert [member.name for member in await store.members()] == ["here"]
        assert server.run("SCARD", KEYS.members) == left


async def test_a_fleet_can_be_looked_at_where_nothing_may_be_written(server, store):
    server.run("SADD", KEYS.members, *(f"gone-{number}" for number in range(70)))
    await report(store, "here")
    server.run("REPLICAOF", "127.0.0.1", "1")

    assert [member.name for member in await store.members()] == ["here"]


async def test_a_few_names_of_leases_that_are_gone_may_stay(server, connect):
    store = connect(server.url, missed_s=0.05)
    await report(store, "gone")
    await asyncio.sleep(0.1)

    assert await store.members() == []
    assert server.run("SMEMBERS", KEYS.members) == {b"gone"}


async def test_who_leaves_leaves_nothing(server, store):
    await report(store, "web-1")

    await store.leave("web-1")

    assert server.run("KEYS", "*") == []


async def test_a_fleet_that_stays_the_same_is_looked_at_in_one_round_trip(server, store):
    await report(store, "a", "b", "c")
    await store.members()
    before = calls(server, "smembers")

    for _ in range(5):
        assert len(await store.members()) == 3

    assert calls(server, "smembers") - before == 5


async def test_a_new_name_costs_one_more_round_trip_once(server, store, connect):
    await report(store, "a")
    await store.members()
    await report(connect(server.url), "b")
    before = calls(server, "smembers")

    for _ in range(3):
        assert len(await store.members()) == 2

    assert calls(server, "smembers") - before == 4


async def test_ages_are_asked_for_now_and_then_only(server, connect):
    store = connect(server.url, lease_s=2000.0)
    await report(store, "a", "b", "c")
    before = calls(server, "pttl")

    for _ in range(50):
        await store.members()

    assert calls(server, "pttl") - before == 3


async def test_an_age_grows_while_a_proxy_is_silent(server, connect):
    store = connect(server.url, lease_s=0.2)
    await report(store, "a")
    ages = []
    for _ in range(4):
        ages += [member.age_s for member in await store.members()]
        await asyncio.sleep(0.05)

    assert ages == sorted(set(ages))


async def test_what_others_wrote_is_no_member(server, store):
    await report(store, "web-1")
    for n, text in enumerate((b"nonsense", b'{"name":"\xff"}', b"[" * 100_000, b"{}", b"")):
        server.run("SET", KEYS.member(f"theirs-{n}"), text)
        server.run("SADD", KEYS.members, f"theirs-{n}")
    server.run("SADD", KEYS.members, b"\xff", "")

    for _ in range(2):
        assert [member.name for member in await store.members()] == ["web-1"]


async def test_a_lease_of_another_type_is_no_member(server, store):
    await report(store, "web-1")
    server.run("SADD", KEYS.members, "theirs")
    server.run("SADD", KEYS.member("theirs"), "x")

    assert [member.name for member in await store.members()] == ["web-1"]


async def test_a_lease_without_an_end_is_not_live(server, store):
    await report(store, "web-1")
    server.run("PERSIST", KEYS.member("web-1"))

    (member,) = await store.members()

    assert not member.live


async def test_a_name_that_was_taken_off_the_list_is_no_member(server, store):
    await report(store, "web-1", "web-2")
    await store.members()
    server.run("SREM", KEYS.members, "web-2")

    assert [member.name for member in await store.members()] == ["web-1"]


async def test_a_list_of_another_type_is_told(server, store):
    server.run("SET", KEYS.members, "theirs")

    await refused([store.members, lambda: report(store, "web-1")], StoreUnsafe)


async def test_looks_at_once_do_not_disturb_one_another(store):
    await report(store, "a")
    await store.members()
    await report(store, "b")

    seen = await asyncio.gather(*(store.members() for _ in range(8)))

    assert {tuple(member.name for member in members) for members in seen} == {("a", "b")}

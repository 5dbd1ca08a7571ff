import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.control.confirm import (
    NO_WAIT,
    Confirmation,
    Proxy,
    Wait,
    is_enough,
    observe,
    pause_s,
)
from proxy.errors import InvalidArgument
from proxy.versions.record import Member

WANTED = {"shop@prod": "shop-v2-000000"}


def _member(name="a", epoch=2, state="serving", version="shop-v2-000000", rejected=()):
    return Member(name, epoch, {"shop@prod": version}, state=state, rejected=rejected)


def _states(known, *members):
    seen = observe(known, members, 2, WANTED, 7.5)
    return {name: (proxy.ms, proxy.state) for name, proxy in seen.items()}


@pytest.mark.parametrize(
    ("member", "ms", "state"),
    [
        (_member(), 7.5, "serving"),
        (_member(epoch=1), None, "behind"),
        (_member(version="shop-v1-000000"), None, "behind"),
        (_member(epoch=3, version="shop-v3-000000"), 7.5, "serving"),
        (_member(epoch=3, version="shop-v1-000000", rejected=("shop@prod",)), None, "behind"),
        (_member(epoch=3, rejected=("shop@prod",)), 7.5, "serving"),
        (_member(epoch=3, version="shop-v3-000000", rejected=("x@prod",)), 7.5, "serving"),
        (_member(state="draining"), None, "draining"),
        (_member(state="starting"), None, "starting"),
    ],
)
def test_a_member_has_confirmed_when_it_serves_the_epoch_and_the_version(member, ms, state):
    assert _states({}, member) == {"a": (ms, state)}


@pytest.mark.parametrize(
    ("state", "expected"), [("serving", {"a": (None, "missing")}), ("draining", {})]
)
def test_whose_lease_has_run_out_is_missing_unless_it_drained(state, expected):
    silent = replace(_member(state=state), live=False)

    assert _states({}, silent) == expected


def test_two_proxies_of_one_name_both_count():
    old, new = (replace(_member(epoch=epoch), instance=str(epoch)) for epoch in (1, 2))

    assert _states({}, old, new) == {"a/1": (None, "behind"), "a/2": (7.5, "serving")}


def test_who_was_killed_and_started_again_is_not_missed():
    killed = replace(_member(epoch=1), instance="1", live=False)
    again = replace(_member(), instance="2")

    assert _states({"a/1": Proxy("a", 1, None, "serving", "1")}, killed, again) == {
        "a/2": (7.5, "serving")
    }


def test_the_slowest_is_named():
    proxies = (Proxy("a", 2, 3.0, "serving"), Proxy("b", 2, 6.9, "serving"))

    assert Confirmation(proxies, 6.9, True).slowest.name == "b"
    assert Confirmation((), 0.0, True).slowest is None


def test_who_falls_silent_stays_in_the_count():
    known = {"a": Proxy("a", 1, None, "behind")}

    assert _states(known) == {"a": (None, "missing")}


def test_who_said_that_it_was_draining_may_leave():
    known = {"a": Proxy("a", 1, None, "draining")}

    assert _states(known) == {}


def test_who_confirmed_once_has_confirmed():
    known = {"a": Proxy("a", 2, 3.0, "serving")}

    assert _states(known, _member(state="draining")) == {"a": (3.0, "serving")}


def test_who_comes_back_is_missing_no_more():
    known = {"a": Proxy("a", 1, None, "missing")}

    assert _states(known, _member()) == {"a": (7.5, "serving")}


@given(st.lists(st.booleans()), st.none() | st.integers(0, 5))
def test_enough_is_all_or_the_number_that_was_required(answers, required):
    proxies = [Proxy(str(i), 1, 1.0 if yes else None, "") for i, yes in enumerate(answers)]

    assert is_enough(proxies, required) == (
        False not in answers if required is None else answers.count(True) >= required
    )


@pytest.mark.parametrize(("timeout_s", "required"), [(-1, None), (4000, None), (1, -1)])
def test_a_wait_has_bounds(timeout_s, required):
    with pytest.raises(InvalidArgument):
        Wait(timeout_s, required)


async def test_a_pin_returns_as_soon_as_the_fleet_serves_it(shop):
    await shop.register("one", "two")
    await shop.pin("v1")
    await shop.report("a", 1, prod="v1")
    await shop.report("b", 1, prod="v1")

    async with asyncio.TaskGroup() as tasks:
        pinned = tasks.create_task(shop.pin("v2", Wait(10.0)))
        await shop.until_held("v2")
        await shop.report("a", 2, prod="v2")
        await shop.report("b", 2, prod="v2")

    confirmation = pinned.result().confirmation
    assert confirmation.enough
    assert [(p.name, p.epoch, p.state) for p in confirmation.proxies] == [
        ("a", 2, "serving"),
        ("b", 2, "serving"),
    ]
    assert 0 < confirmation.elapsed_ms < 5000
    assert confirmation.elapsed_ms == max(p.ms for p in confirmation.proxies)


async def test_who_does_not_confirm_in_time_is_named(shop):
    await shop.register("one", "two")
    await shop.pin("v1")
    await shop.report("a", 1, prod="v1")
    await shop.report("b", 9, prod="v1")

    report = await shop.pin("v2", Wait(0.03))

    # The epoch lies above what any proxy reported, so neither has it.
    answer = report.json()
    assert answer["epoch"] == 10
    assert (answer["confirmed"], answer["of"]) == (0, 2)
    assert [(p["name"], p["state"]) for p in answer["proxies"]] == [
        ("a", "behind"),
        ("b", "behind"),
    ]
    assert not report.confirmation.enough


async def test_a_required_number_is_enough(shop):
    await shop.register("one", "two")
    await shop.pin("v1")
    await shop.report("a", 1, prod="v1")
    await shop.report("b", 1, prod="v1")

    async with asyncio.TaskGroup() as tasks:
        pinned = tasks.create_task(shop.pin("v2", Wait(10.0, required=1)))
        await shop.until_held("v2")
        await shop.report("a", 2, prod="v2")

    assert pinned.result().confirmation.enough
    assert pinned.result().confirmation.confirmed == 1


async def test_without_waiting_one_look_is_enough(shop):
    await shop.register("one")
    await shop.report("a", 0)

    report = await shop.pin("v1", NO_WAIT)

    assert report.confirmation.enough
    assert (report.json()["confirmed"], report.json()["of"]) == (0, 1)


async def test_a_required_number_that_is_not_there_is_not_enough(shop):
    await shop.register("one")

    report = await shop.pin("v1", Wait(0.02, required=1))

    assert not report.confirmation.enough


def test_a_fleet_is_looked_at_more_often_the_fewer_are_missing():
    pauses = [pause_s(missing, 0.01) for missing in (1, 10, 20, 40, 1000)]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.003, 0.01)


def test_a_fleet_that_is_slow_is_looked_at_less_often():
    assert pause_s(1, 1.0) > pause_s(1000, 0.01)

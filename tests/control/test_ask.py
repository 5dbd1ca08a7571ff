"""Asking the fleet through the store."""

import asyncio
from contextlib import aclosing

from proxy.control.ask import ask_fleet
from proxy.versions.question import HOLDINGS
from proxy.versions.record import Member

A, B = Member("a", 1, {}), Member("b", 1, {}, instance="0f")


async def next_question(store):
    async with aclosing(store.watch(())) as watched:
        async for pins in watched:
            if pins.questions:
                return pins.questions[-1]
    raise AssertionError


async def test_nobody_is_asked_where_nobody_is_live(store):
    assert await ask_fleet(store, HOLDINGS, None, []) == {}

    async with aclosing(store.watch(())) as watched:
        assert (await anext(watched)).questions == ()


async def test_answers_come_by_member(store):
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask_fleet(store, HOLDINGS, None, [A, B], 10.0))
        asked = await next_question(store)
        await store.answer(asked.id, "a", b"one")
        await store.answer(asked.id, "b/0f", b"two")

    assert asking.result() == {"a": b"one", "b/0f": b"two"}


async def test_who_does_not_answer_in_time_is_not_waited_for(store):
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask_fleet(store, HOLDINGS, None, [A, B], 0.3))
        asked = await next_question(store)
        await store.answer(asked.id, "a", b"one")

    assert asking.result() == {"a": b"one"}


async def test_two_who_ask_get_each_their_own_answers(store):
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ask_fleet(store, HOLDINGS, None, [A], 10.0))
        one = await next_question(store)
        second = tasks.create_task(ask_fleet(store, HOLDINGS, None, [A], 10.0))
        while (other := await next_question(store)).id == one.id:
            pass
        await store.answer(other.id, "a", b"second")
        await store.answer(one.id, "a", b"first")

    assert (first.result(), second.result()) == ({"a": b"first"}, {"a": b"second"})

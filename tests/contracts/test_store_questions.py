"""What every store promises about questions to the fleet, and the answers."""

import asyncio
from contextlib import aclosing

import pytest

from proxy.errors import InvalidArgument
from proxy.store.base import MAX_ANSWER_BYTES, MAX_QUESTION_BYTES, MOST_QUESTIONS
from proxy.versions.record import Question
from tests.contracts.places import MODEL, change, order, registered
from tests.store.story import until

PREPARE = Question("q-1", "prepare", {"versions": [f"{MODEL}-v1-abcdef"]})


async def asked(store):
    """Return what a watch that begins now is asked."""
    async with aclosing(store.watch(())) as pins:
        return (await anext(pins)).questions


def numbered(count):
    return [Question(f"q-{n}", "prepare", {"n": n}) for n in range(count)]


async def test_nothing_is_asked_at_first(store):
    assert await asked(store) == ()


async def test_who_watches_is_asked(another, store):
    async with aclosing(another().watch(())) as pins:
        await anext(pins)
        await store.ask(PREPARE)

        seen = await until(pins, lambda seen: seen.questions)

    assert seen.questions == (PREPARE,)


async def test_who_watches_later_is_asked_too(another, store):
    await store.ask(PREPARE)

    assert await asked(another()) == (PREPARE,)


async def test_all_who_watch_are_asked(another, store):
    async with aclosing(another().watch(())) as one, aclosing(another().watch(())) as two:
        await anext(one)
        await anext(two)
        await store.ask(PREPARE)

        seen = [(await until(pins, lambda seen: seen.questions)).questions for pins in (one, two)]

    assert seen == [(PREPARE,)] * 2


async def test_a_question_is_no_change_of_the_pins(another, store):
    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))
    async with aclosing(another().watch(())) as pins:
        before = await anext(pins)
        await store.ask(PREPARE)

        after = await until(pins, lambda seen: seen.questions)

    assert before == after == await store.pins()
    assert len(await store.history(MODEL)) == 2


async def test_a_question_and_a_pin_are_seen_beside_each_other(another, store):
    (info,) = await registered(store, "a")
    async with aclosing(another().watch(())) as pins:
        await anext(pins)
        await store.ask(PREPARE)
        await store.swap(order(change(info)))

        seen = await until(pins, lambda seen: seen.epoch)

    assert (seen.pins[MODEL, "prod"].id, seen.questions) == (info.id, (PREPARE,))


async def test_several_are_asked_in_the_order_in_which_they_were_put(store):
    for question in numbered(3):
        await store.ask(question)

    assert await asked(store) == tuple(numbered(3))


async def test_asking_twice_asks_once(store):
    first, second = numbered(2)
    for question in (first, second, first):
        await store.ask(question)

    assert await asked(store) == (second, first)


async def test_the_same_id_may_ask_something_else(store):
    await store.ask(PREPARE)

    await store.ask(Question(PREPARE.id, "holdings", {}))

    assert await asked(store) == (Question(PREPARE.id, "holdings", {}),)


async def test_of_too_many_questions_the_newest_are_asked(store):
    for question in numbered(MOST_QUESTIONS + 1):
        await store.ask(question)

    assert await asked(store) == tuple(numbered(MOST_QUESTIONS + 1)[1:])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"list": [], "nested": {"empty": {}, "null": None, "yes": True}},
        {"text": 'größer "2" \\ / \n \x00 \x7f \u2028 \U0001f600'},
        {"numbers": [0, -1, 2**53 + 1, 10**20, 0.1, 1e300]},
    ],
    ids=["empty", "nested", "text", "numbers"],
)
async def test_what_is_asked_arrives_as_it_was(store, body):
    await store.ask(Question("q", "größer", body))

    assert await asked(store) == (Question("q", "größer", body),)


async def test_a_question_passes(another):
    store = another(question_s=0.3)
    async with aclosing(store.watch(())) as pins:
        await anext(pins)
        await store.ask(PREPARE)
        await until(pins, lambda seen: seen.questions)

        await until(pins, lambda seen: not seen.questions)


async def test_an_old_question_goes_when_the_next_is_put(another):
    store = another(question_s=0.6)
    first, second, third = numbered(3)
    await store.ask(first)
    await asyncio.sleep(0.4)
    await store.ask(second)
    await asyncio.sleep(0.4)

    await store.ask(third)

    assert await asked(store) == (second, third)


def sized(size):
    """Return a question whose kind and body have `size` bytes together."""
    return Question("q", "prepare", {"a": "x" * (size - len('prepare{"a":""}'))})


async def test_a_question_may_be_as_large_as_is_said(store):
    await store.ask(sized(MAX_QUESTION_BYTES))

    assert await asked(store) == (sized(MAX_QUESTION_BYTES),)


async def test_large_questions_make_room_for_one_another(store):
    """What JSON has to escape may need more room than all together are given."""
    body = {"a": "\x7f" * (MAX_QUESTION_BYTES - 100)}
    for n in range(MOST_QUESTIONS):
        await store.ask(Question(f"q-{n}", "prepare", body))

    questions = await asked(store)

    assert 2 <= len(questions) <= MOST_QUESTIONS
    assert questions[-1] == Question(f"q-{MOST_QUESTIONS - 1}", "prepare", body)


@pytest.mark.parametrize(
    "question",
    [
        sized(MAX_QUESTION_BYTES + 1),
        Question("q", "x" * (MAX_QUESTION_BYTES + 1), {}),
        Question("", "prepare", {}),
        Question("a|b", "prepare", {}),
        Question("ü", "prepare", {}),
        Question("q", "\ud800", {}),
        Question("q", "prepare", {"a": "\ud800"}),
    ],
    ids=["size", "size of the kind", "no id", "bar", "id", "kind", "body"],
)
async def test_what_cannot_be_asked_is_refused(store, question):
    with pytest.raises(InvalidArgument):
        await store.ask(question)

    assert await asked(store) == ()


async def test_without_answers_there_are_none(store):
    assert await store.answers("q-1") == {}


async def test_answers_are_read_by_member(another, store):
    await another().answer("q-1", "web-1/a1", b"one")
    await another().answer("q-1", "web-2/b2", b"\x00\xff")

    assert await store.answers("q-1") == {"web-1/a1": b"one", "web-2/b2": b"\x00\xff"}


async def test_each_question_has_its_own_answers(store):
    await store.answer("q-1", "web-1", b"one")
    await store.answer("q-2", "web-1", b"two")

    assert await store.answers("q-2") == {"web-1": b"two"}


async def test_the_last_answer_of_a_member_counts(store):
    for body in (b"one", b"two"):
        await store.answer("q-1", "web-1", body)

    assert await store.answers("q-1") == {"web-1": b"two"}


async def test_an_answer_needs_no_member_and_no_question(store):
    """Who answers late, or after leaving, does no harm; whoever asked knows whom."""
    await store.answer("never-asked", "größer: nobody", b"")

    assert await store.members() == []
    assert await store.answers("never-asked") == {"größer: nobody": b""}


async def test_answers_pass(another):
    store = another(question_s=0.1)
    await store.answer("q-1", "web-1", b"one")
    assert await store.answers("q-1") != {}

    await asyncio.sleep(0.15)

    assert await store.answers("q-1") == {}


async def test_an_answer_may_hold_a_version(store):
    body = bytes(MAX_ANSWER_BYTES)

    await store.answer("q-1", "web-1", body)

    assert await store.answers("q-1") == {"web-1": body}


@pytest.mark.parametrize(
    ("question", "member", "body"),
    [
        ("q-1", "web-1", bytes(MAX_ANSWER_BYTES + 1)),
        ("", "web-1", b""),
        ("a b", "web-1", b""),
        ("q-1", "\ud800", b""),
    ],
    ids=["size", "no question", "question", "member"],
)
async def test_what_is_no_answer_is_refused(store, question, member, body):
    with pytest.raises(InvalidArgument):
        await store.answer(question, member, body)


async def test_what_is_no_question_has_no_answers(store):
    with pytest.raises(InvalidArgument):
        await store.answers("a|b")


@pytest.mark.slow
async def test_many_who_ask_and_answer_at_once_do_not_disturb_one_another(another):
    operators, proxies = [another() for _ in range(4)], [another() for _ in range(4)]

    await asyncio.gather(
        *(store.ask(question) for store, question in zip(operators, numbered(4), strict=True)),
        *(
            store.answer(question.id, f"web-{n}", f"{question.id} {n}".encode())
            for n, store in enumerate(proxies)
            for question in numbered(4)
        ),
    )

    ids = sorted(question.id for question in await asked(operators[0]))
    assert ids == ["q-0", "q-1", "q-2", "q-3"]
    for question in numbered(4):
        expected = {f"web-{n}": f"{question.id} {n}".encode() for n in range(4)}
        assert await operators[1].answers(question.id) == expected

"""Questions in Redis: what is left there, and what people may have written over them."""

import json
from contextlib import aclosing

import pytest

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store.base import MOST_QUESTIONS, QUESTION_S
from proxy.store.question_text import MAX_TEXT_BYTES
from proxy.store.redis_keys import Keys
from proxy.versions.record import Question
from tests.contracts.places import MODEL, change, order, registered
from tests.store.story import refused, until

KEYS = Keys()
QUESTION = Question("q-1", "prepare", {})


@pytest.fixture
def store(redis_store):
    return redis_store


def entry(server, **fields):
    now_s, _ = server.run("TIME")
    at_ms = str(now_s * 1000)
    return {"id": "theirs", "kind": "prepare", "body": "{}", "at_ms": at_ms, **fields}


async def asked(store):
    async with aclosing(store.watch(())) as pins:
        return (await anext(pins)).questions


async def test_a_question_is_told_without_waiting_for_the_poll(server, store):
    async with aclosing(store.watch(())) as pins:
        await anext(pins)
        before = server.run("INFO", "commandstats")["cmdstat_smembers"]["calls"]
        await store.ask(QUESTION)
        await until(pins, lambda seen: seen.questions)
        after = server.run("INFO", "commandstats")["cmdstat_smembers"]["calls"]

    assert after == before + 1  # which a poll does not ask for


async def test_questions_and_answers_pass_by_themselves(server, store):
    await store.ask(QUESTION)
    await store.answer(QUESTION.id, "web-1", b"yes")

    left_ms = [server.run("PTTL", key) for key in (KEYS.questions, KEYS.answers("q-1"))]

    assert all(0 < left <= QUESTION_S * 1000 for left in left_ms)
    assert sorted(server.run("KEYS", "*")) == [b"{proxy}:answers:q-1", b"{proxy}:questions"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"\xff\x00",
        b"null",
        b"7",
        b'{"1":{}}',
        b'[7,null,"x",[],{}]',
        b'[{"id":"q","kind":"k","body":"{}"}]',
        b'[{"id":"q","kind":"k","body":"{}","at_ms":{}}]',
        b'[{"id":"q","kind":"k","body":"{}","at_ms":"nan"}]',
        b'[{"id":"q","kind":"k","body":"{}","at_ms":"0"}]',
        b'[{"id":"q","kind":"k","body":"{}","at_ms":"1e300"}]',
        b'[{"id":"q","kind":"k","body":{},"at_ms":"0"}]',
        b"[" * 100_000,
        b"[" + b"7," * MAX_TEXT_BYTES + b"7]",
    ],
    ids=lambda text: ascii(text[:45]),
)
async def test_whatever_was_written_over_the_questions_the_next_is_asked(server, store, text):
    server.run("SET", KEYS.questions, text)
    before = {question.id for question in await asked(store)}

    await store.ask(QUESTION)

    assert before <= {"q"}
    assert await asked(store) == (QUESTION,)


async def test_a_question_put_by_hand_stays_beside_the_next(server, store):
    server.run("SET", KEYS.questions, json.dumps([entry(server), entry(server, id=7)]))

    await store.ask(QUESTION)

    assert await asked(store) == (Question("theirs", "prepare", {}), QUESTION)


async def test_too_many_put_by_hand_are_cut_to_the_newest(server, store):
    many = [entry(server, id=f"theirs-{n}") for n in range(MOST_QUESTIONS + 1)]
    server.run("SET", KEYS.questions, json.dumps(many))

    read = [question.id for question in await asked(store)]
    await store.ask(QUESTION)

    assert read == [f"theirs-{n}" for n in range(1, MOST_QUESTIONS + 1)]
    assert [question.id for question in await asked(store)] == [*read[1:], "q-1"]


async def test_a_watch_goes_on_whatever_is_written_over_the_questions(server, store):
    (info,) = await registered(store, "a")
    async with aclosing(store.watch(())) as pins:
        await anext(pins)
        for text in (b"nonsense", b"\xff", b"[" * 100_000, b"[7]"):
            server.run("SET", KEYS.questions, text)
            server.run("PUBLISH", KEYS.changes, "")
            assert (await anext(pins)).questions == ()
        await store.swap(order(change(info)))

        seen = await until(pins, lambda seen: seen.epoch == 1)

    assert seen.pins.keys() == {(MODEL, "prod")}


async def test_questions_of_another_type_are_none_and_are_left_alone(server, store):
    server.run("RPUSH", KEYS.questions, "theirs")
    before = server.dump()

    assert await asked(store) == ()
    await refused([lambda: store.ask(QUESTION)], StoreUnsafe)

    assert server.dump() == before


async def test_answers_of_another_type_are_told(server, store):
    server.run("SET", KEYS.answers("q-1"), "theirs")

    await refused(
        [lambda: store.answer("q-1", "web-1", b""), lambda: store.answers("q-1")], StoreUnsafe
    )


async def test_a_replica_cannot_be_asked_through(server, store):
    server.run("REPLICAOF", "127.0.0.1", "1")

    (told,) = await refused([lambda: store.ask(QUESTION)], StoreUnavailable)

    assert "read-only replica" in told.message

"""The access lists of docs/redis.md: enough for the work, and no more."""

import re
from contextlib import aclosing
from dataclasses import replace

import pytest
import redis

from proxy.errors import ProxyError, StoreUnavailable
from proxy.store.base import Change, NewVersion, Order
from proxy.store.url import open_store
from proxy.versions.evidence import CaseResult, Gate, Result
from proxy.versions.identity import digest
from proxy.versions.record import Member, Meta, Pin, Question
from tests.contracts.places import restorable
from tests.store.story import until

SECRET = "users-secret"
CONTENT = b'{"model":{"id":"m","vendor":"openai"},"schema":1}'
NEW = NewVersion("shop", CONTENT, digest(CONTENT), Meta(by="test"))
ME = Member("web-1", 1, {"shop@prod": "shop-v1"}, instance="a1")
QUESTION = Question("q-1", "prepare", {})
LOST = restorable("lost", 7, model="shop")


@pytest.fixture
def users(server, repository):
    """The documented users; returns the URL of each."""
    text = (repository / "docs" / "redis.md").read_text()
    lines = re.findall(r"^ACL SETUSER (\w+) (.*)$", text, re.MULTILINE)
    with redis.Redis.from_url(server.url) as admin:
        for name, rules in lines:
            admin.execute_command("ACL", "SETUSER", name, *rules.replace("SECRET", SECRET).split())
    return {name: server.url.replace("//", f"//{name}:{SECRET}@") for name, _ in lines}


async def register_and_pin(store):
    info = (await store.register(NEW, "operation-1")).info
    await store.swap(Order((Change("shop", "prod", info.id, info.digest),), "operation-2", "test"))
    return info


async def test_operator_can_do_all_that_commands_do(users):
    store = open_store(users["operator"])

    info = await register_and_pin(store)
    await store.freeze("shop", True, by="test", reason="", operation="operation-3")
    await store.freeze("shop", False, by="test", reason="", operation="operation-4")

    assert [event.kind for event in await store.history("shop")][-2:] == ["pin", "register"]
    assert (await store.pins()).pins["shop", "prod"].id == info.id
    assert await store.members() == []
    await store.close()


async def test_operator_can_ask_and_repair(users, server):
    store = open_store(users["operator"])
    info = await register_and_pin(store)
    by_hand = Pin("shop", "staging", 9, info.id, info.digest, "by-hand")
    server.run("SET", "{proxy}:pin:shop:staging", f"9|{info.id}|{info.digest}|by-hand")

    await store.restore(LOST, by="test", operation="operation-3")
    await store.record(by_hand, by="test", operation="operation-4")
    await store.ask(QUESTION)
    await store.answer(QUESTION.id, "operator", b"yes")

    assert [event.kind for event in await store.history("shop")][:2] == ["record", "restore"]
    assert await store.answers(QUESTION.id) == {"operator": b"yes"}
    await store.close()


async def test_operator_can_look_at_a_fleet(users):
    store = open_store(users["operator"])
    for number in range(3):
        await store.report(replace(ME, instance=str(number)))

    assert len(await store.members()) == 3
    await store.leave("web-1/0")
    assert len(await store.members()) == 2
    await store.close()


RESULT = Result("shop", NEW.digest, "sha256:" + "5" * 64, 1.0, (CaseResult("rain", 1.0),), by="ci")


async def test_reviewer_can_look_and_keep_results(users):
    operator, store = open_store(users["operator"]), open_store(users["reviewer"])
    await register_and_pin(operator)

    kept = await store.attach(RESULT, "operation-7")

    assert [one.pointer for one in await store.results("shop", NEW.digest)] == [RESULT.pointer]
    assert kept.created
    assert (await store.history("shop"))[0].kind == "eval"
    assert (await store.pins()).pins.keys() == {("shop", "prod")}
    assert (await store.version("shop", 1)).content == CONTENT
    assert (await store.guards("shop")).gate is None
    await store.close()
    await operator.close()


async def test_reviewer_can_change_nothing_of_what_is_live(users, server):
    operator, store = open_store(users["operator"]), open_store(users["reviewer"])
    info = await register_and_pin(operator)
    order = Order((Change("shop", "staging", info.id, info.digest),), "operation-7", "ci")
    about = {"by": "ci", "reason": "x", "operation": "operation-8"}
    before = server.dump()

    with pytest.raises(ProxyError):
        await store.register(NewVersion("other", CONTENT, NEW.digest, NEW.meta), "operation-6")
    with pytest.raises(ProxyError):
        await store.swap(order)
    with pytest.raises(ProxyError):
        await store.set_gate("shop", Gate(RESULT.suite), **about)
    with pytest.raises(ProxyError):
        await store.freeze("shop", True, **about)
    raw = redis.Redis.from_url(users["reviewer"])
    for words in ("SET {proxy}:epoch 9", "EVAL return(redis.call('SET','{proxy}:epoch','9')) 0"):
        with pytest.raises(redis.exceptions.ResponseError):
            raw.execute_command(*words.split(" "))
    raw.close()

    assert server.dump() == before
    await store.close()
    await operator.close()


async def test_proxy_can_follow_and_report(users):
    operator, store = open_store(users["operator"]), open_store(users["proxy"])
    info = await register_and_pin(operator)

    watching = store.watch(())
    pins = await anext(watching)
    await watching.aclose()
    version = await store.version("shop", 1)
    await store.report(ME)
    reported = await operator.members()
    await store.leave(ME.key)

    assert pins.pins["shop", "prod"].id == info.id
    assert version.content == CONTENT
    assert [member.key for member in reported] == ["web-1/a1"]
    assert await operator.members() == []
    assert await store.models() == ["shop"]
    await store.close()
    await operator.close()


async def test_proxy_is_asked_and_can_answer(users):
    operator, store = open_store(users["operator"]), open_store(users["proxy"])
    async with aclosing(store.watch(())) as watching:
        await anext(watching)
        await operator.ask(QUESTION)
        pins = await until(watching, lambda seen: seen.questions)
    await store.answer(QUESTION.id, ME.key, b"yes")

    assert pins.questions == (QUESTION,)
    assert await operator.answers(QUESTION.id) == {ME.key: b"yes"}
    await store.close()
    await operator.close()


async def test_proxy_can_tell_that_the_server_is_not_fit(users, server):
    store = open_store(users["proxy"])
    server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    with pytest.raises(StoreUnavailable, match="evict"):
        await anext(store.watch(()))
    await store.close()


async def test_proxy_can_neither_ask_nor_repair(users, server):
    operator, store = open_store(users["operator"]), open_store(users["proxy"])
    info = await register_and_pin(operator)
    by_hand = Pin("shop", "prod", 9, info.id, info.digest, "by-hand")
    server.run("SET", "{proxy}:pin:shop:prod", f"9|{info.id}|{info.digest}|by-hand")
    before = server.dump()

    with pytest.raises(ProxyError):
        await store.ask(QUESTION)
    with pytest.raises(ProxyError):
        await store.restore(LOST, by="test", operation="operation-5")
    with pytest.raises(ProxyError):
        await store.record(by_hand, by="test", operation="operation-6")

    assert server.dump() == before
    await store.close()
    await operator.close()


async def test_proxy_can_neither_register_nor_pin(users):
    operator, store = open_store(users["operator"]), open_store(users["proxy"])
    info = await register_and_pin(operator)
    order = Order((Change("shop", "staging", info.id, info.digest),), "operation-5", "test")

    with pytest.raises(ProxyError):
        await store.register(NewVersion("other", CONTENT, NEW.digest, NEW.meta), "operation-6")
    with pytest.raises(ProxyError):
        await store.swap(order)

    assert list((await operator.pins()).pins) == [("shop", "prod")]
    assert await operator.models() == ["shop"]
    await store.close()
    await operator.close()


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "{proxy}:pin:shop:prod", "1|x|y|z"),
        ("HSET", "{proxy}:versions:shop", "1", "x"),
        ("HSET", "{proxy}:revoked:shop", "1", "x"),
        ("PEXPIRE", "{proxy}:versions:shop", "1"),
        ("SET", "{proxy}:questions", "[]"),
        ("EVAL", "return 1", "0"),
        ("PUBLISH", "{proxy}:changes", "1"),
        ("CONFIG", "GET", "*"),
        ("FLUSHALL",),
        ("GET", "somebody-else"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_proxy_user_cannot_harm_the_store(users, command):
    client = redis.Redis.from_url(users["proxy"])

    with client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command)

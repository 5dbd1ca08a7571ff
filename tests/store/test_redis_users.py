"""The access lists of docs/redis.md: enough for the work, and no more."""

import re

import pytest
import redis

from proxy.errors import ProxyError
from proxy.store.base import Change, NewVersion, Order
from proxy.store.url import open_store
from proxy.versions.identity import digest
from proxy.versions.record import Member, Meta

SECRET = "users-secret"
CONTENT = b'{"model":{"id":"m","vendor":"openai"},"schema":1}'
NEW = NewVersion("shop", CONTENT, digest(CONTENT), Meta(by="test"))
ME = Member("web-1", 1, {"shop@prod": "shop-v1"})


@pytest.fixture
def users(start_redis, repository):
    """A server with the documented users; returns the URL of each."""
    server = start_redis()
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


async def test_proxy_can_follow_and_report(users):
    operator, store = open_store(users["operator"]), open_store(users["proxy"])
    info = await register_and_pin(operator)

    watching = store.watch(())
    pins = await anext(watching)
    await watching.aclose()
    version = await store.version("shop", 1)
    await store.report(ME)
    reported = await operator.members()
    await store.leave(ME.name)

    assert pins.pins["shop", "prod"].id == info.id
    assert version.content == CONTENT
    assert [member.name for member in reported] == ["web-1"]
    assert await store.models() == ["shop"]
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
        ("EVAL", "return 1", "0"),
        ("PUBLISH", "{proxy}:changes", "1"),
        ("CONFIG", "GET", "*"),
        ("FLUSHALL",),
        ("GET", "somebody-else"),
    ],
    ids=lambda command: command[0],
)
def test_proxy_user_cannot_harm_the_store(users, command):
    client = redis.Redis.from_url(users["proxy"])

    with client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command)

"""Servers that would lose what they are given: refused, or at least said."""

from contextlib import nullcontext

import pytest

from proxy.errors import StoreUnavailable, StoreUnsafe
from proxy.store.redis_fit import parse_info, refuse_unfit, unasked, weaknesses
from proxy.store.redis_keys import Keys
from proxy.store.redis_url import source
from proxy.store.redis_watch import watch
from tests.store.story import until

SOUND = {
    "role": "master",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
    "connected_slaves": "0",
}

# What a server says, a word of what that is called, and whether it is used like that.
WEAK = [
    ({"role": "slave"}, "read-only replica", True),
    ({"maxmemory_policy": "allkeys-lru"}, "evict", True),
    ({"maxmemory_policy": "allkeys-random"}, "evict", True),
    ({"aof_enabled": "0"}, "forgets at a restart", False),
    ({"aof_last_write_status": "err"}, "cannot write to its disk", False),
    ({"rdb_last_bgsave_status": "err"}, "cannot write to its disk", False),
    ({"connected_slaves": "2"}, "failover may lose", False),
]


def test_a_sound_server_has_no_weakness():
    assert weaknesses(SOUND) == []
    assert weaknesses({**SOUND, "maxmemory_policy": "volatile-ttl"}) == []
    assert weaknesses({**SOUND, "connected_slaves": "2", "min_slaves_good_slaves": "2"}) == []


@pytest.mark.parametrize(("said", "word", "refused"), WEAK)
def test_a_weakness_is_said_with_what_to_do(said, word, refused):
    (found,) = weaknesses({**SOUND, **said})

    assert word in found.message
    assert found.hint
    assert found.refused == refused


@pytest.mark.parametrize(("said", "word", "refused"), WEAK)
def test_what_is_refused_is_what_is_called_so(said, word, refused):
    refusal = pytest.raises((StoreUnavailable, StoreUnsafe), match=word)
    with refusal if refused else nullcontext():
        refuse_unfit({**SOUND, **said})


def test_the_worst_comes_first():
    found = weaknesses({**SOUND, "aof_enabled": "0", "maxmemory_policy": "allkeys-lfu"})

    assert [weakness.refused for weakness in found] == [True, False]


@pytest.mark.parametrize("answer", [None, 10**12, [b"role:slave"], b"", b"\xff\n:\n"])
def test_an_answer_that_is_no_description_says_nothing_against_a_server(answer):
    refuse_unfit(parse_info(answer))


# --- real servers


async def test_a_real_server_is_asked(start_redis, connect):
    store = connect(start_redis("--appendonly", "yes").url)

    assert await store.weaknesses() == []


async def test_a_real_server_that_keeps_nothing_says_so(server, redis_store):
    (found,) = await redis_store.weaknesses()

    assert "forgets at a restart" in found.message


async def test_replicas_that_nobody_waits_for_are_noticed(start_redis, connect):
    primary = start_redis("--appendonly", "yes", "--repl-diskless-sync-delay", "0")
    start_redis("--replicaof", "127.0.0.1", str(primary.port))
    primary.copied_to(1)

    (found,) = await connect(primary.url).weaknesses()
    primary.run("CONFIG", "SET", "min-replicas-to-write", "1")

    assert "failover may lose" in found.message
    assert await connect(primary.url).weaknesses() == []


async def test_a_server_that_may_not_be_asked_is_not_called_sound(server, connect):
    store = connect(without_info(server))

    assert await store.weaknesses() == [unasked()]


async def test_a_server_that_is_away_is_no_weakness(server, connect):
    server.stop()

    with pytest.raises(StoreUnavailable):
        await connect(server.url).weaknesses()


def without_info(server):
    server.run("ACL", "SETUSER", "web", "on", ">secret", "~*", "&*", "+@all", "-info")
    return server.url.replace("//", "//web:secret@")


# --- watching

SPOIL = {
    "read-only replica": ("REPLICAOF", "127.0.0.1", "1"),
    "evict": ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"),
}
spoilt = pytest.mark.parametrize(("word", "command"), SPOIL.items())


@spoilt
async def test_an_unfit_server_is_not_followed(server, redis_store, word, command):
    server.run(*command)

    with pytest.raises(StoreUnavailable, match=word):
        await anext(redis_store.watch(()))


@spoilt
async def test_a_server_that_becomes_unfit_is_followed_no_longer(server, word, command):
    pins = watch(source(server.url).make, Keys(), (), poll_s=0.02)
    await anext(pins)
    server.run(*command)

    with pytest.raises(StoreUnavailable, match=word):
        await until(pins, lambda seen: False)


@spoilt
async def test_a_server_that_may_not_be_asked_is_followed(server, connect, word, command):
    store = connect(without_info(server))
    server.run(*command)
    pins = store.watch(())

    assert (await anext(pins)).epoch == 0
    await pins.aclose()


async def test_a_right_to_ask_that_is_taken_away_ends_one_watch_and_not_the_next(server, connect):
    server.run("ACL", "SETUSER", "web", "on", ">secret", "~*", "&*", "+@all")
    url = server.url.replace("//", "//web:secret@")
    pins = watch(source(url).make, Keys(), (), poll_s=0.02)
    await anext(pins)
    without_info(server)
    with pytest.raises(StoreUnavailable, match="permission"):
        await until(pins, lambda seen: False)

    again = connect(url).watch(())

    assert (await anext(again)).epoch == 0
    await again.aclose()

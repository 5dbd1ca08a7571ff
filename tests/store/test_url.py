import tempfile

import pytest
from redis.crc import key_slot

from proxy.errors import InvalidArgument
from proxy.store import redis_url
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_login import Password
from proxy.store.sqlite import SqliteStore
from proxy.store.url import open_store
from tests.contracts.places import new, operation

CANARY = "s3cret-c4nary"


def test_three_slashes_are_relative_four_absolute():
    relative, absolute = open_store("sqlite:///a/b.db"), open_store("sqlite:////a/b.db")

    assert repr(relative) == "SqliteStore('a/b.db')"
    assert repr(absolute) == "SqliteStore('/a/b.db')"
    assert isinstance(absolute, SqliteStore)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://", "redis://localhost:6379/0"),
        ("redis://cache", "redis://cache:6379/0"),
        ("redis://cache:1234/3", "redis://cache:1234/3"),
        (f"redis://ada:{CANARY}@cache", "redis://cache:6379/0"),
        (f"redis://:{CANARY}@cache", "redis://cache:6379/0"),
        ("redis://[::1]:1234", "redis://[::1]:1234/0"),
        ("rediss://cache/1?ssl_ca_certs=/ca.pem", "rediss://cache:6379/1"),
        (f"unix://ada:{CANARY}@/run/redis.sock?db=2", "unix:///run/redis.sock"),
        ("redis+sentinel://a,b:1/main", "redis+sentinel://a:26379,b:1/main"),
        (f"redis+sentinel://:{CANARY}@a/main/2", "redis+sentinel://a:26379/main"),
        ("rediss+sentinel://a/main", "rediss+sentinel://a:26379/main"),
        (f"redis+cluster://ada:{CANARY}@a,b:1", "redis+cluster://a:6379,b:1"),
        ("rediss+cluster://a/0?ssl_ca_certs=/ca.pem", "rediss+cluster://a:6379"),
    ],
)
def test_a_store_says_where_it_is_but_not_how_to_get_in(url, where):
    store = open_store(url)

    assert repr(store) == f"RedisStore({where!r})"
    assert isinstance(store, RedisStore)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store.db",
        f"postgres://{CANARY}@host/db",
        "sqlite:",
        "sqlite://",
        "sqlite://store.db",
        "sqlite:///",
        "sqlite:///dir/",
        "sqlite:///:memory:",
        "sqlite:///store.db?mode=ro",
        f"redis://:{CANARY}@host:port",
        f"redis://:{CANARY}@host:99999",
        f"redis://:{CANARY}@host/main",
        f"redis://:{CANARY}@host/1/2",
        f"redis://:{CANARY}@a,b",
        f"redis://:{CANARY}@[host",
        f"redis://:{CANARY}@host?retry_on_timeout=true",
        f"redis://host?password={CANARY}",
        "redis://host?ssl_ca_certs=/ca.pem",
        "redis://host#1",
        "rediss://host?ssl_cert_reqs=none",
        "rediss://host?ssl_check_hostname=false",
        "unix://",
        "unix:///run/redis.sock?db=x",
        "redis+sentinel://a",
        "redis+sentinel://a/",
        "redis+sentinel://a/main/x",
        "redis+cluster://a/1",
        "redis+cluster://a?ssl_ca_certs=/ca.pem",
        "rediss+cluster://a?ssl_cert_reqs=none",
        f"redis+ring://:{CANARY}@a,b",
    ],
)
def test_a_url_that_makes_no_sense_is_refused_and_not_repeated(url):
    with pytest.raises(InvalidArgument) as caught:
        open_store(url)

    assert CANARY not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("namespace", ["", "a{b", "a}b", "a b", "ü", "x" * 65, "a\n"])
def test_a_namespace_that_is_no_hash_tag_is_refused(namespace):
    with pytest.raises(InvalidArgument):
        open_store("redis://", namespace=namespace)


def test_passwords_are_unquoted():
    dial = redis_url.source("redis://ada:p%40s%2Fs@host").make

    assert dial.login == Password("ada", "p@s/s")


URLS = (
    "redis://h",
    "rediss://h",
    "rediss://h?ssl_ca_certs=/ca.pem",
    "unix:///s",
    "redis+sentinel://h/main",
    "redis+sentinel://h/main?ssl_ca_certs=/ca.pem",
    "rediss+sentinel://h/main",
    "redis+cluster://h",
    "rediss+cluster://h",
)


@pytest.mark.parametrize("url", URLS)
def test_a_url_that_asks_for_tls_gets_nothing_else(url):
    dial = redis_url.source(url).make

    assert (dial.tls is not None) == ("rediss" in url or "ssl" in url)


@pytest.mark.parametrize("namespace", ["proxy", "team:a"])
def test_a_cluster_is_asked_for_the_slot_that_has_the_keys(namespace):
    assert redis_url.slot_of(namespace) == key_slot(Keys(namespace).epoch.encode())


# --- real connections -----------------------------------------------------------------------


async def works(url):
    """Register through `url`, and watch."""
    store = open_store(url)
    pins = store.watch(())
    try:
        assert (await store.register(new("a"), operation())).created
        await anext(pins)
        return await store.ping()
    finally:
        await pins.aclose()
        await store.close()


async def test_a_store_behind_a_unix_socket(start_redis):
    with tempfile.TemporaryDirectory() as directory:  # the path of a socket must be short
        start_redis("--unixsocket", f"{directory}/s")

        assert (await works(f"unix://{directory}/s")).endswith(f" at unix://{directory}/s")


async def test_another_database_of_the_server(start_redis):
    server = start_redis()

    await works(server.url.replace("/0", "/5"))

    assert server.run("DBSIZE") == 0

import asyncio
import ssl
import subprocess
import tempfile

import pytest

from proxy.errors import InvalidArgument, OutcomeUnknown, StoreUnavailable
from proxy.store import redis_url
from proxy.store.redis import RedisStore
from proxy.store.sqlite import SqliteStore
from proxy.store.url import open_store
from tests.contracts.places import new, operation
from tests.redis_server import RedisServer, free_port
from tests.store.story import eventually

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
        f"redis+cluster://:{CANARY}@a,b",
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
    wire = redis_url.source("redis://ada:p%40s%2Fs@host").make()

    assert (wire.username, wire.password) == ("ada", "p@s/s")


URLS = (
    "redis://h",
    "rediss://h",
    "rediss://h?ssl_ca_certs=/ca.pem",
    "unix:///s",
    "redis+sentinel://h/main",
    "redis+sentinel://h/main?ssl_ca_certs=/ca.pem",
)


def test_no_connection_retries_or_times_out_by_itself():
    for url in URLS:
        wire = redis_url.source(url).make()

        assert wire.retry.get_retries() == 0
        assert wire.socket_timeout is None


@pytest.mark.parametrize("url", [url for url in URLS if "rediss" in url or "ssl" in url])
def test_certificates_are_checked(url):
    wire = redis_url.source(url).make()

    assert wire.cert_reqs == ssl.CERT_REQUIRED
    assert wire.check_hostname


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Make an authority and a certificate for 127.0.0.1 only."""
    directory = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=store", "-keyout", "key.pem", "-out", "ca.pem"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=directory,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return directory


@pytest.fixture
def tls_port(start_redis, certificates):
    port = free_port()
    start_redis(
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(certificates / "ca.pem")),
        *("--tls-key-file", str(certificates / "key.pem")),
    )
    return port


async def test_tls_with_the_servers_own_authority(tls_port, certificates):
    url = f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs={certificates / 'ca.pem'}"

    assert f"rediss://127.0.0.1:{tls_port}" in await works(url)


async def test_tls_with_an_unknown_authority_is_refused(tls_port):
    with pytest.raises(StoreUnavailable):
        await works(f"rediss://127.0.0.1:{tls_port}")


async def test_tls_with_another_name_is_refused(tls_port, certificates):
    with pytest.raises(StoreUnavailable):
        await works(f"rediss://localhost:{tls_port}?ssl_ca_certs={certificates / 'ca.pem'}")


async def test_tls_never_falls_back_to_plain_text(start_redis, certificates):
    port = start_redis().port

    with pytest.raises(StoreUnavailable):
        await works(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificates / 'ca.pem'}")


@pytest.fixture
def sentinel(start_redis, tmp_path):
    """A primary and a sentinel that watches it; both, and a port where no sentinel is."""
    primary = start_redis()
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"sentinel monitor main 127.0.0.1 {primary.port} 1\n"
        "sentinel down-after-milliseconds main 300\n"
    )
    guard = RedisServer(tmp_path / "sentinel")
    guard.start_as(str(config), "--sentinel")
    yield primary, guard, free_port()
    guard.stop()


async def test_a_primary_behind_a_sentinel(sentinel):
    primary, guard, dead = sentinel
    url = f"redis+sentinel://127.0.0.1:{dead},127.0.0.1:{guard.port}/main"

    await works(url)

    assert primary.run("DBSIZE") > 0


async def test_a_service_that_the_sentinel_does_not_know(sentinel):
    _, guard, _ = sentinel

    with pytest.raises(StoreUnavailable):
        await works(f"redis+sentinel://127.0.0.1:{guard.port}/other")


async def test_sentinels_that_are_not_there():
    with pytest.raises(StoreUnavailable):
        await works(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/main")


@pytest.mark.slow
async def test_a_replica_that_took_over_is_found(sentinel, start_redis):
    primary, guard, _ = sentinel
    primary.run("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    replica = start_redis("--replicaof", "127.0.0.1", str(primary.port))
    store = open_store(f"redis+sentinel://127.0.0.1:{guard.port}/main")
    await store.register(new("a"), operation())
    guard.run("SENTINEL", "DEBUG", "INFO-PERIOD", "100")  # how soon it finds the replica
    await eventually(lambda: replica.run("DBSIZE") and knows(guard, replica))

    primary.stop()

    async with asyncio.timeout(10):
        while not (done := await attempt(store)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert done.info.number == 2
    await store.close()


def knows(guard, replica):
    return str(replica.port) in str(guard.run("SENTINEL", "REPLICAS", "main"))


async def attempt(store):
    """Try the same registration again: it has one operation id and happens once."""
    try:
        return await store.register(new("b"), "op-b")
    except (StoreUnavailable, OutcomeUnknown):
        return None

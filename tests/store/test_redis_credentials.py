"""A password in the URL goes to the server and nowhere else."""

import traceback

import redis

from proxy.store.url import open_store
from tests.contracts.places import new, operation, settled
from tests.listening import listening

CANARY = "s3cret-c4nary"


def everything_said(store, error):
    return repr(store) + "".join(traceback.format_exception(error)) + repr(error.__context__)


async def test_a_refused_password_is_never_shown(server, connect):
    server.run("CONFIG", "SET", "requirepass", "right")
    store = connect(f"redis://user:{CANARY}@127.0.0.1:{server.port}")

    (error,) = await settled([store.pins()])

    assert CANARY not in everything_said(store, error)


async def test_a_password_that_the_server_echoes_is_never_shown(connect):
    """Servers before 6.0 know no HELLO, and quote the whole command that they do not know."""

    async def answer(reader, writer):
        asked = await reader.read(1000)
        assert CANARY.encode() in asked
        writer.write(b"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `")
        writer.write(CANARY.encode() + b"`, \r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with listening(answer) as port:
        store = connect(f"redis://user:{CANARY}@127.0.0.1:{port}")
        asked = [store.pins(), anext(store.watch(())), store.register(new("a"), operation())]

        errors = await settled(asked)

    for error in errors:
        assert CANARY not in repr(store) + "".join(traceback.format_exception(error))


async def test_a_store_describes_itself_without_credentials(server, connect):
    server.run("CONFIG", "SET", "requirepass", CANARY)
    store = connect(f"redis://:{CANARY}@127.0.0.1:{server.port}/0")

    line = await store.ping()

    assert line == f"redis {server_version(server)} at redis://127.0.0.1:{server.port}/0"
    assert CANARY not in repr(store)


def server_version(server):
    with redis.Redis(port=server.port, password=CANARY) as client:
        return client.info("server")["redis_version"]


async def test_opening_by_url_connects_to_nothing():
    store = open_store("redis://:secret@127.0.0.1:1/0")

    assert repr(store) == "RedisStore('redis://127.0.0.1:1/0')"
    await store.close()

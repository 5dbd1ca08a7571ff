"""How a connection is opened: one attempt, greeted before it is used, or closed again."""

import asyncio
import time

import pytest

from proxy.errors import StoreUnavailable
from proxy.store.redis_answers import Nonsense, Refused
from proxy.store.redis_dial import Dial, Server
from proxy.store.redis_login import Password, PasswordFile
from tests.redis_server import free_port
from tests.store.scripted import scripted
from tests.store.story import eventually

HERE = "127.0.0.1"
SPEAKS_3 = b"%1\r\n$5\r\nproto\r\n:3\r\n"


def at(server, **options):
    return Dial(Server(HERE, server.port), **options)


def clients(server):
    return server.run("INFO", "clients")["connected_clients"]


def in_s(seconds):
    return asyncio.get_running_loop().time() + seconds


async def test_it_is_greeted_and_of_the_database_that_was_named(server):
    wire = await at(server, db=3)()
    await wire.ask([("SET", "x", "y")], in_s(5))
    wire.close()

    assert server.run("INFO", "keyspace").keys() == {"db3"}


async def test_who_logs_in_is_who_was_named(server):
    server.run("ACL", "SETUSER", "ada", "on", ">secret", "+acl|whoami", "+hello")
    wire = await at(server, login=Password("ada", "secret"))()

    assert await wire.ask([("ACL", "WHOAMI")], in_s(5)) == [b"ada"]
    wire.close()


async def test_a_wrong_password_leaves_no_connection(server):
    before = clients(server)
    with pytest.raises(Refused, match="WRONGPASS"):
        await at(server, login=Password("ada", "wrong"))()

    await eventually(lambda: clients(server) == before)


async def test_a_password_that_cannot_be_read_leaves_no_connection(server, tmp_path):
    before = clients(server)
    with pytest.raises(StoreUnavailable):
        await at(server, login=PasswordFile("ada", tmp_path / "none"))()

    await eventually(lambda: clients(server) == before)


@pytest.mark.parametrize("said", [b"+OK\r\n", b"%0\r\n", SPEAKS_3.replace(b":3", b":2")])
async def test_a_server_that_does_not_agree_on_the_protocol_is_none(said):
    async with scripted({b"HELLO": said}) as server:
        with pytest.raises(Nonsense):
            await at(server)()


async def test_it_is_tried_once():
    began = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        await Dial(Server(HERE, free_port()))()

    assert time.monotonic() - began < 0.5


async def test_where_to_is_found_anew_each_time(server):
    asked = []

    async def find():
        asked.append(None)
        return Server(HERE, server.port)

    dial = Dial(find)
    for _ in range(2):
        (await dial()).close()

    assert len(asked) == 2


def test_it_shows_no_password():
    assert "secret" not in repr(Dial(Server("h", 1), login=Password("ada", "secret")))

"""A password that changes while a proxy follows: taken from its file, said if it is not there."""

from contextlib import asynccontextmanager

import pytest
import redis

from proxy.store.url import open_store
from tests.contracts.places import pin
from tests.fleet.following import following, registered

FIRST, SECOND = "f1rst-c4nary", "s3cond-c4nary"


@pytest.fixture
def file(tmp_path):
    """Return a file with the password, as a secret store would put it."""
    made = tmp_path / "password"
    made.write_text(f"{FIRST}\n")
    return made


def let_in(server, password):
    """Give the proxy's user this password only, and break its connections."""
    server.run("ACL", "SETUSER", "proxy", "on", "resetpass", f">{password}", "~*", "&*", "+@all")
    server.run("CLIENT", "KILL", "USER", "proxy")


def put(file, password):
    renewed = file.with_suffix(".new")
    renewed.write_text(password)
    renewed.rename(file)


@asynccontextmanager
async def proxy_of(server, file, directory):
    """Follow the server as its user `proxy`, with one version pinned."""
    let_in(server, FIRST)
    url = server.url.replace("//", "//proxy@")
    own, operator = open_store(url, password_file=file), open_store(server.url)
    infos = await registered(operator, "Recommend jackets.", "Recommend hats.")
    await pin(operator, infos[0])
    async with following(own, directory) as proxy:
        await proxy.until_serving(infos[0])
        yield proxy, operator, infos
    await own.close()
    await operator.close()


async def test_a_proxy_takes_a_new_password_from_its_file(server, file, tmp_path):
    async with proxy_of(server, file, tmp_path / "kept") as (proxy, operator, infos):
        put(file, SECOND)
        let_in(server, SECOND)
        await proxy.lines("store.found", 2)
        await pin(operator, infos[1])
        await proxy.until_serving(infos[1])


async def test_a_file_that_comes_late_is_taken_without_a_restart(server, file, tmp_path):
    async with proxy_of(server, file, tmp_path / "kept") as (proxy, _, _):
        let_in(server, SECOND)
        await proxy.lines("store.lost", 2)
        put(file, SECOND)

        await proxy.lines("store.found", 2)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda file: None, "the store refused the user or password"),
        (lambda file: file.unlink(), "the file with the store's password cannot be read"),
        (lambda file: file.write_text("\n"), "the file with the store's password cannot be read"),
    ],
    ids=["old", "missing", "empty"],
)
async def test_a_file_that_does_not_let_in_is_said_and_the_version_kept(
    server, file, tmp_path, fault, reason
):
    async with proxy_of(server, file, tmp_path / "kept") as (proxy, _, infos):
        fault(file)
        let_in(server, SECOND)
        lines = await proxy.lines("store.lost", 2)

        assert reason in lines[1]["reason"]
        assert proxy.serving() == infos[0].id
        await proxy.logged("store.lost")
        said = repr(proxy.follower.state) + bytes(proxy.log.written).decode()
        assert FIRST not in said
        assert SECOND not in said


async def test_a_password_in_the_url_wins_over_the_file(server, file):
    let_in(server, SECOND)
    store = open_store(server.url.replace("//", f"//proxy:{SECOND}@"), password_file=file)

    assert await store.models() == []
    await store.close()


async def test_the_default_user_has_a_file_as_well(server, file):
    with redis.Redis(port=server.port) as person:
        person.config_set("requirepass", FIRST)
    store = open_store(server.url, password_file=file)

    assert await store.models() == []
    await store.close()

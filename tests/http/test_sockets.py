"""Who may listen on an address: one proxy, and those that came to join it."""

import asyncio
import re
import socket
from contextlib import contextmanager

import pytest

from proxy.http.sockets import (
    Bound,
    Sockets,
    beside,
    close_all,
    open_both,
    open_sockets,
    shown,
)
from proxy.settings import Listen

ANY = "127.0.0.1:0"


@contextmanager
def closing(sockets):
    try:
        yield sockets
    finally:
        close_all(sockets)


async def test_one_that_is_not_to_join_is_refused_with_the_address():
    with closing(await open_sockets(ANY)) as first:
        address = shown(first[0])

        with pytest.raises(OSError, match=re.escape(f"{address}: address already in use")):
            await open_sockets(address)


async def test_one_that_comes_to_join_shares_the_address():
    with closing(await open_sockets(ANY)) as first:
        address = shown(first[0])

        with closing(await open_sockets(address, join=True)) as second:
            assert shown(second[0]) == address


async def test_one_that_comes_to_join_nobody_is_alone():
    with closing(await open_sockets(ANY, join=True)) as only:
        assert shown(only[0]).startswith("127.0.0.1:")


async def test_nobody_joins_what_is_no_proxy():
    with (
        closing([socket.create_server(("127.0.0.1", 0))]) as foreign,
        pytest.raises(OSError, match="already in use"),
    ):
        await open_sockets(shown(foreign[0]), join=True)


async def test_it_listens_as_soon_as_it_is_open():
    with closing(await open_sockets(ANY)) as sockets:
        _, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.close()


async def test_one_that_joins_gets_nothing_until_it_is_used():
    with closing(await open_sockets(ANY)) as first, closing([beside(first[0])]) as second:
        with closing([socket.create_connection(first[0].getsockname()) for _ in range(30)]):
            first[0].setblocking(False)
            closing_after = [first[0].accept()[0] for _ in range(30)]

        assert second[0].getsockname() == first[0].getsockname()
        close_all(closing_after)


async def test_a_name_may_stand_for_several_addresses():
    with closing(await open_sockets("localhost:0")) as sockets:
        hosts = {one.getsockname()[0] for one in sockets}

    assert "127.0.0.1" in hosts
    assert hosts <= {"127.0.0.1", "::1"}


async def test_a_name_that_stands_for_nothing_is_told():
    with pytest.raises(OSError, match=r"^\[Errno -?\d+\] nowhere\.invalid:80: "):
        await open_sockets("nowhere.invalid:80")


async def test_a_second_address_that_is_taken_leaves_the_first_free():
    with closing(await open_sockets(ANY)) as taken, closing(await open_sockets(ANY)) as free:
        data, admin = shown(free[0]), shown(taken[0])
        close_all(free)

        with pytest.raises(OSError, match=re.escape(admin)):
            await open_both(Listen(data=data, admin=admin))
        close_all(await open_sockets(data))


async def test_where_it_listens_is_shown_as_it_is_configured():
    sockets = await open_both(Listen(data=ANY, admin="[::1]:0"))
    bound = sockets.bound
    sockets.close()

    assert re.fullmatch(r"127\.0\.0\.1:\d+", bound.data)
    assert re.fullmatch(r"\[::1\]:\d+", bound.admin)


def test_one_without_an_admin_listener_shows_none():
    with closing([socket.create_server(("127.0.0.1", 0))]) as data:
        assert Sockets(data, []).bound == Bound(shown(data[0]), "")


def test_what_is_shared_is_not_among_what_is_left():
    data, admin, other = [], [], []

    left = Sockets(data, admin).without(Sockets(data, other))

    assert left.data is not data
    assert left.admin is admin

"""Steering new connections: the table of the kernel, the program, and what it does."""

import socket
import sys
from contextlib import ExitStack

import pytest

from proxy.http.sockets import beside, close_all, open_sockets
from proxy.http.steering import always, listening, steer_away, steer_here, steer_nowhere

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
REST = " 00000000:00000000 00:00000000 00000000     0        0 1594 1 0000000029 100 0 0 10 0\n"

# Enough for a fair hash to give each of two sockets some.
MANY = 40


def row(number, local, state, remote="00000000:0000"):
    return f"   {number}: {local} {remote} {state}{REST}"


# --- the table


def test_sockets_that_listen_on_an_address_are_counted():
    table = [
        HEAD,
        row(0, "0100007F:1F90", "0A"),
        row(1, "0100007F:1F91", "0A"),
        row(2, "00000000:1F90", "0A"),
        row(3, "0100007F:1F90", "0A"),
    ]

    assert listening(table, ("127.0.0.1", 8080)) == 2


def test_addresses_of_ip_version_6_are_written_in_words():
    local = "00000000000000000000000001000000:1F90"

    assert listening([HEAD, row(0, local, "0A")], ("::1", 8080, 0, 0)) == 1


def test_connections_are_not_read_at_all():
    def table():
        yield HEAD
        yield row(0, "0100007F:1F90", "0A")
        yield row(1, "0100007F:1F90", "01", "0100007F:C350")
        raise AssertionError("read on")

    assert listening(table(), ("127.0.0.1", 8080)) == 1


def test_an_empty_table_counts_nothing():
    assert listening([HEAD], ("127.0.0.1", 8080)) == 0


# --- the program


def test_the_program_is_one_instruction_that_returns_the_index():
    """`struct sock_filter`: code (BPF_RET | BPF_K), two jumps, the constant."""
    code, *jumps, constant = always(3)[:2], *always(3)[2:4], always(3)[4:]

    assert int.from_bytes(code, sys.byteorder) == 0x06
    assert jumps == [0, 0]
    assert int.from_bytes(constant, sys.byteorder) == 3


# --- what it does

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux steers")


@pytest.fixture
async def pair():
    """Return two sockets that listen on one address, in this order."""
    (first,) = await open_sockets("127.0.0.1:0")
    second = beside(first)
    second.listen()
    yield first, second
    close_all([first, second])


def shares(*sockets, among=MANY):
    """Make connections; return how many each socket got."""
    address = next(one for one in sockets if one.fileno() >= 0).getsockname()
    with ExitStack() as stack:
        for _ in range(among):
            stack.enter_context(socket.create_connection(address))
        return [accepted(one, stack) for one in sockets]


def accepted(one, stack):
    count = 0
    one.setblocking(False)
    while True:
        try:
            stack.enter_context(one.accept()[0])
        except BlockingIOError:
            return count
        count += 1


@needs_linux
async def test_without_it_both_get_some(pair):
    assert min(shares(*pair)) > 0


@needs_linux
async def test_the_old_one_gets_nothing_any_more(pair):
    first, second = pair

    assert steer_away(first, own=1)
    assert shares(first, second) == [0, MANY]


@needs_linux
async def test_closing_loses_none_that_come_meanwhile(pair):
    first, second = pair
    steer_away(first, own=1)
    first.close()

    assert shares(second) == [MANY]


@needs_linux
async def test_one_that_is_alone_steers_nowhere(pair):
    first, second = pair
    second.close()

    assert not steer_away(first, own=1)


@needs_linux
async def test_workers_do_not_steer_to_one_another(pair):
    assert not steer_away(pair[0], own=2)
    assert min(shares(*pair)) > 0


@needs_linux
async def test_the_last_one_gets_everything_at_its_own_wish(pair):
    steer_here(pair[1])

    assert shares(*pair) == [0, MANY]


@needs_linux
async def test_what_was_left_of_an_earlier_steering_is_taken_back(pair):
    steer_here(pair[1])
    steer_nowhere(pair[0])

    assert min(shares(*pair)) > 0

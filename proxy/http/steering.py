"""Steering new connections to a successor, so that closing a listening socket loses none.

Sockets that share an address get its connections by a hash. When one of them is closed, Linux
resets what it had not accepted yet. So before that a program that the kernel runs for each new
connection chooses another socket: one instruction, `ret #index`. Sockets are in the order in which
they began to listen, so the last is the successor's; an index that is too high means the hash
again, so the program does nothing any more once the old sockets are gone. No privilege is needed.
(man 7 socket, SO_ATTACH_REUSEPORT_CBPF; Linux 4.5.)

Where any of this is not to be had, closing is a plain close.
"""

from __future__ import annotations

import array
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from proxy.http.sockets import Name

# Numbers of asm-generic/socket.h, which Python does not have.
ATTACH_PROGRAM = 51
DETACH_PROGRAM = 68

# BPF_RET | BPF_K of linux/bpf_common.h.
_RETURN = 0x06

# In /proc/net/tcp: the second field is the local address, the fourth the state.
_LISTENING = "0A"


def always(index: int) -> bytes:
    """Return the program that chooses the socket with this index: one `struct sock_filter`."""
    return struct.pack("=HBBI", _RETURN, 0, 0, index)


def listening(table: Iterable[str], name: Name) -> int:
    """Count the sockets that listen on `name`, in the lines of /proc/net/tcp or tcp6.

    They come first. What follows is not read: the kernel takes a tenth of a second for some
    thousand connections, and whoever reads waits for it.
    """
    place, count = _written(name), 0
    for _, local, _, state, *_ in (line.split() for line in islice(table, 1, None)):
        if state != _LISTENING:
            break
        count += local == place
    return count


def _written(name: Name) -> str:
    """Return an address as the kernel writes it: each four bytes as a number of this machine."""
    family = socket.AF_INET6 if ":" in name[0] else socket.AF_INET
    raw = socket.inet_pton(family, name[0])
    words = (raw[start : start + 4] for start in range(0, len(raw), 4))
    host = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{host}:{name[1]:04X}"


def steer_away(one: socket.socket, *, own: int) -> bool:
    """Have new connections go to the socket that listened last, if more than `own` share the
    address of `one`. Return whether that was done."""
    with suppress(OSError):
        count = _count(one)
        if count > own:
            _attach(one, count - 1)
            return True
    return False


def steer_here(last: socket.socket) -> None:
    """Have new connections go to `last`, which is the last that began to listen, if possible."""
    with suppress(OSError):
        if count := _count(last):
            _attach(last, count - 1)


def steer_nowhere(one: socket.socket) -> None:
    """Have the hash choose again: a program stays with the address when its sockets change."""
    with suppress(OSError):
        if sys.platform == "linux":
            one.setsockopt(socket.SOL_SOCKET, DETACH_PROGRAM, 1)


def _count(one: socket.socket) -> int:
    table = "tcp6" if one.family == socket.AF_INET6 else "tcp"
    with Path(f"/proc/self/net/{table}").open() as file:
        return listening(file, one.getsockname())


def _attach(one: socket.socket, index: int) -> None:
    # The kernel takes the program's length and where it lies in memory (`struct sock_fprog`).
    program = array.array("B", always(index))
    where, _ = program.buffer_info()
    one.setsockopt(socket.SOL_SOCKET, ATTACH_PROGRAM, struct.pack("HP", 1, where))

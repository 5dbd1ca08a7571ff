"""Whether a server is fit to keep versions, by what it says of itself when it is asked INFO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proxy.errors import StoreUnsafe
from proxy.store.base import Weakness
from proxy.store.redis_answers import unavailable

Said = Mapping[str, str]

EVICTS = "the store's server may evict versions and pins when its memory is full"
_NO_EVICTION = "set maxmemory-policy to noeviction or one of volatile-*"


def parse_info(answer: Any) -> dict[str, str]:
    """Read the answer to INFO: lines of `name:value`. Something else says nothing."""
    text = answer if isinstance(answer, bytes) else b""
    lines = text.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def refuse_unfit(said: Said) -> None:
    """Raise `StoreUnsafe` for a server that would drop versions, `StoreUnavailable` for a replica:
    what it has may be old, and nothing can be written there."""
    if _evicts(said):
        raise StoreUnsafe(EVICTS, hint=_NO_EVICTION)
    if _is_replica(said):
        raise unavailable("READONLY")


def weaknesses(said: Said) -> list[Weakness]:
    """Return what of `_WEAKNESSES` holds for a server, in that order."""
    return [weakness for holds, weakness in _WEAKNESSES if holds(said)]


def unasked() -> Weakness:
    """Return what is known of a server that may not be asked: nothing."""
    return Weakness(
        "the store's server was not looked at: its user may not ask INFO",
        "allow it: ACL SETUSER … +info",
    )


def _evicts(said: Said) -> bool:
    return said.get("maxmemory_policy", "").startswith("allkeys-")


def _is_replica(said: Said) -> bool:
    return said.get("role") == "slave"


def _keeps_no_log(said: Said) -> bool:
    return said.get("aof_enabled") == "0"


def _cannot_write(said: Said) -> bool:
    return "err" in (said.get("aof_last_write_status"), said.get("rdb_last_bgsave_status"))


def _forgets_at_failover(said: Said) -> bool:
    """The count of good replicas is told only where min-replicas-to-write asks for some."""
    return said.get("connected_slaves", "0") != "0" and "min_slaves_good_slaves" not in said


_WEAKNESSES: tuple[tuple[Callable[[Said], bool], Weakness], ...] = (
    (_evicts, Weakness(EVICTS, _NO_EVICTION, refused=True)),
    (_is_replica, Weakness(unavailable("READONLY").message, "name the primary", refused=True)),
    (
        _cannot_write,
        Weakness("the store's server cannot write to its disk", "look at its log and its disk"),
    ),
    (
        _keeps_no_log,
        Weakness(
            "the store's server forgets at a restart what came after its last snapshot",
            "set appendonly yes, and appendfsync always",
        ),
    ),
    (
        _forgets_at_failover,
        Weakness(
            "a failover may lose pins that the store acknowledged",
            "set min-replicas-to-write 1",
        ),
    ),
)

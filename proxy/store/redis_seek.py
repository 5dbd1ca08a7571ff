"""Find the server that serves now, by asking those who know: sentinels, or nodes of a cluster.

Strategy: all of them are asked at once, at each connection, so that one that is dead or frozen
costs next to no time. Of what is said, the highest epoch of configuration counts: some may have
been away while the others moved on. That the server found is a primary is not taken on trust
either: whoever uses the connection looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from proxy.errors import ProxyError, StoreUnavailable
from proxy.store.redis_answers import FAILURES, Refused, refusal
from proxy.store.redis_dial import Dial, Server
from proxy.store.redis_wire import Wire

# How long they are waited for: it must leave time to connect.
ASKED_S = 0.5
# Once half of them have answered, the rest gets this long: it answers in a millisecond or not.
GRACE_S = 0.05


@dataclass(frozen=True, slots=True)
class Claim:
    """Who serves, as one of those asked has it. `epoch` is that of its configuration."""

    server: Server
    epoch: int = 0


Ask = Callable[[Server, Wire, float], Awaitable[Claim]]


async def primary(service: str, _: Server, wire: Wire, until_s: float) -> Claim:
    """Ask a sentinel. Raises `StoreUnavailable` if it knows no primary that is up."""
    try:
        (answer,) = await wire.ask([("SENTINEL", "MASTER", service)], until_s)
    except Refused as error:
        if "No such master" in str(error):
            raise _no_service() from None
        raise
    said = {name.decode(): value.decode(errors="replace") for name, value in answer.items()}
    if "o_down" in said["flags"].split(","):
        raise StoreUnavailable("the store's primary is down", hint="a failover may be under way")
    return Claim(Server(said["ip"], int(said["port"])), int(said["config-epoch"]))


async def owner(slot: int, asked: Server, wire: Wire, until_s: float) -> Claim:
    """Ask a node of a cluster. Raises `StoreUnavailable` if nobody serves the slot."""
    try:
        (ranges,) = await wire.ask([("CLUSTER", "SLOTS")], until_s)
    except Refused as error:
        if "cluster support disabled" in str(error):
            raise _no_cluster() from None
        raise
    for first, last, (host, port, *_), *_ in ranges:
        if first <= slot <= last:
            named = (host or b"").decode()
            # An endpoint that the node does not know is where it was asked itself.
            return Claim(Server(asked.host if named in ("", "?") else named, int(port)))
    raise StoreUnavailable("no node of the store's cluster serves its slot")


async def seek(
    named: Sequence[Server], dial: Callable[[Server], Dial], ask: Ask, nobody: str
) -> Server:
    """Return the server that serves now, as those `named` have it. `nobody` says that nothing is
    known, where none gave a reason. Raises `StoreUnavailable` or `StoreUnsafe`."""
    claims: list[Claim] = []
    reasons: list[ProxyError] = []
    now = asyncio.get_running_loop().time
    limit_s = now() + ASKED_S
    tasks = [asyncio.create_task(_asked(server, dial(server), ask, limit_s)) for server in named]
    try:
        async with asyncio.timeout_at(limit_s) as limit:
            for answer in asyncio.as_completed(tasks):
                found = await answer
                if isinstance(found, ProxyError):
                    reasons.append(found)
                elif found is not None:
                    claims.append(found)
                if 2 * len(claims) >= len(named):
                    limit.reschedule(min(limit_s, now() + GRACE_S))
    except TimeoutError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if claims:
        return max(claims, key=lambda claim: (claim.epoch, claims.count(claim))).server
    raise reasons[0] if reasons else StoreUnavailable(nobody)


async def _asked(server: Server, dial: Dial, ask: Ask, until_s: float) -> Claim | ProxyError | None:
    """Return what one of those named says, or why it says nothing, if it gives a reason."""
    try:
        wire = await dial()
        try:
            return await ask(server, wire, until_s)
        finally:
            wire.close()
    except ProxyError as error:
        return error
    except FAILURES as error:
        return refusal(error)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None  # what was answered makes no sense


def _no_service() -> StoreUnavailable:
    return StoreUnavailable(
        "the store's sentinels know no service of this name",
        hint="it is the last part of the store's URL: redis+sentinel://host/service",
    )


def _no_cluster() -> StoreUnavailable:
    return StoreUnavailable(
        "the store's server is no node of a cluster", hint="name it as redis://"
    )

"""Wait until the fleet serves what was pinned, and say who does not.

A proxy has confirmed when it reports the epoch of the swap, serves, and names the pinned versions
as those it serves, or is past that epoch and rejects none of these pins: a pin of another label
takes it there too. Who fell silent without saying that it drains stays in the count, as missing: it
may still be serving the old version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from proxy.errors import InvalidArgument, ProxyError
from proxy.store.base import Store
from proxy.versions.record import DRAINING, SERVING, Member

BEHIND = "behind"
MISSING = "missing"

DEFAULT_TIMEOUT_S = 5.0

# A fleet confirms within milliseconds as a rule, and its report is no finer than the looks at it.
# The more of it are missing the longer the last of them will take, and where they share a machine
# with the command, a look takes the time of two. A fleet that is slow need not be asked that often.
_SHORTEST_POLL_S = 0.003
_POLL_FOR_EACH_S = 0.0002
_LONGEST_POLL_S = 0.01
_SLOWEST_POLL_S = 0.025
_SLOW_AFTER_S = 0.15


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait and for how many proxies; None: for all. A timeout of 0 s looks once."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    required: int | None = None
    demanded: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.timeout_s <= 3600 or (self.required is not None and self.required < 0):
            raise InvalidArgument("a wait is 0 to 3600 seconds, for 0 proxies or more")


NO_WAIT = Wait(0.0, demanded=False)
"""Look once and be content with what is seen."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy's answer. `ms` is the time from the swap to its confirmation; None: it has not
    confirmed. `instance` tells proxies of one name apart, `older` counts its requests that still
    end with what a label held before."""

    name: str
    epoch: int
    ms: float | None
    state: str
    instance: str = ""
    older: int = 0

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "epoch": self.epoch,
            "ms": self.ms,
            "state": self.state,
            "instance": self.instance,
            "older": self.older,
        }


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Who confirmed. `elapsed_ms` runs from the swap to the last confirmation that was waited
    for, or to the end of the wait. `enough` is whether as many confirmed as were demanded."""

    proxies: tuple[Proxy, ...]
    elapsed_ms: float
    enough: bool

    @property
    def confirmed(self) -> int:
        return sum(proxy.ms is not None for proxy in self.proxies)

    @property
    def slowest(self) -> Proxy | None:
        """The proxy that confirmed last."""
        confirmed = [proxy for proxy in self.proxies if proxy.ms is not None]
        return max(confirmed, key=lambda proxy: proxy.ms or 0.0, default=None)

    @property
    def older(self) -> int:
        return sum(proxy.older for proxy in self.proxies)

    def json(self) -> dict[str, Any]:
        return {
            "confirmed": self.confirmed,
            "of": len(self.proxies),
            "elapsed_ms": self.elapsed_ms,
            "proxies": [proxy.json() for proxy in self.proxies],
        }


def counted(members: Iterable[Member]) -> list[Member]:
    """Return the members that matter: not who drained and fell silent, and not who fell silent and
    has a live namesake, which is what a proxy that was killed and started again looks like."""
    members = list(members)
    names = {member.name for member in members if member.live}
    return [
        member
        for member in members
        if member.live or (member.state != DRAINING and member.name not in names)
    ]


def observe(
    known: Mapping[str, Proxy],
    members: Iterable[Member],
    epoch: int,
    wanted: Mapping[str, str],
    elapsed_ms: float,
) -> dict[str, Proxy]:
    """Return, by key, what is known of each proxy after one more look at the members.

    `wanted` maps `model@label` to the id that was pinned. Who confirmed once has confirmed. Who
    is gone is `missing`, but for those that said they were draining: they serve nobody now.
    """
    seen = {one.key: _judged(one, epoch, wanted, elapsed_ms) for one in counted(members)}
    there = {proxy.name for proxy in seen.values() if proxy.state != MISSING}
    for key, proxy in known.items():
        if proxy.ms is not None:
            now = seen.get(key, proxy)
            seen[key] = proxy if now.older == proxy.older else replace(proxy, older=now.older)
        elif key not in seen and proxy.state != DRAINING and proxy.name not in there:
            seen[key] = replace(proxy, state=MISSING)
    return dict(sorted(seen.items()))


def _judged(member: Member, epoch: int, wanted: Mapping[str, str], elapsed_ms: float) -> Proxy:
    serves = all(member.versions.get(key) == version for key, version in wanted.items())
    passed = member.epoch > epoch and wanted.keys().isdisjoint(member.rejected)
    confirmed = passed or (member.epoch >= epoch and serves)
    state = member.state if member.live else MISSING
    if state == SERVING and not confirmed:
        state = BEHIND
    ms = elapsed_ms if state == SERVING else None
    return Proxy(member.name, member.epoch, ms, state, member.instance, member.older)


def is_enough(proxies: Iterable[Proxy], required: int | None) -> bool:
    """Say whether as many confirmed as `required`; None: every one."""
    states = [proxy.ms is not None for proxy in proxies]
    return all(states) if required is None else sum(states) >= required


async def confirm(
    store: Store,
    epoch: int,
    wanted: Mapping[str, str],
    wait: Wait,
    *,
    before: Iterable[Member],
    started_s: float,
) -> Confirmation:
    """Wait for the fleet. `before` is who was there when the swap was sent, at the event loop's
    time `started_s`. Whatever the store says meanwhile, the swap is made: it
    is asked again."""
    clock = asyncio.get_running_loop().time
    proxies = {m.key: Proxy(m.name, m.epoch, None, m.state, m.instance) for m in counted(before)}
    if proxies and wait.timeout_s:  # else nobody has heard of it yet
        await asyncio.sleep(min(pause_s(len(proxies), 0.0), wait.timeout_s))
    while True:
        proxies = await _look(store, proxies, epoch, wanted, started_s)
        enough = is_enough(proxies.values(), wait.required)
        left_s = started_s + wait.timeout_s - clock()
        if enough or left_s <= 0:
            break
        missing = sum(proxy.ms is None for proxy in proxies.values())
        await asyncio.sleep(min(pause_s(missing, clock() - started_s), left_s))
    times = [proxy.ms for proxy in proxies.values() if proxy.ms is not None]
    elapsed_ms = max(times, default=0.0) if enough else _ms(clock() - started_s)
    return Confirmation(tuple(proxies.values()), elapsed_ms, enough or not wait.demanded)


def pause_s(missing: int, since_s: float) -> float:
    """Return how long to wait for the next look, `since_s` after the swap."""
    if since_s > _SLOW_AFTER_S:
        return _SLOWEST_POLL_S
    return min(max(_SHORTEST_POLL_S, missing * _POLL_FOR_EACH_S), _LONGEST_POLL_S)


async def _look(
    store: Store,
    proxies: dict[str, Proxy],
    epoch: int,
    wanted: Mapping[str, str],
    started_s: float,
) -> dict[str, Proxy]:
    try:
        members = await store.members()
    except ProxyError:
        return proxies
    now_s = asyncio.get_running_loop().time()
    return observe(proxies, members, epoch, wanted, _ms(now_s - started_s))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)

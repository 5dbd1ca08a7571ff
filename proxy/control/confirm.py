"""Wait until the fleet serves what was pinned, and say who does not.

A proxy has confirmed when it reports the epoch of the swap, serves, and names the pinned versions
as those it serves (unless it is past that epoch already). Who was there when the swap was sent
stays in the count: a proxy that falls silent may still be serving the old version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.errors import InvalidArgument, ProxyError
from proxy.store.base import Store
from proxy.versions.record import Member

SERVING = "serving"
DRAINING = "draining"
BEHIND = "behind"
MISSING = "missing"

DEFAULT_TIMEOUT_S = 5.0

# A fleet confirms within milliseconds as a rule; a slow one need not be asked that often.
_FIRST_POLL_S = 0.005
_SLOWEST_POLL_S = 0.025


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
    confirmed."""

    name: str
    epoch: int
    ms: float | None
    state: str


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

    def json(self) -> dict[str, Any]:
        return {
            "confirmed": self.confirmed,
            "of": len(self.proxies),
            "elapsed_ms": self.elapsed_ms,
            "proxies": [
                {"name": p.name, "epoch": p.epoch, "ms": p.ms, "state": p.state}
                for p in self.proxies
            ],
        }


def observe(
    known: Mapping[str, Proxy],
    members: Iterable[Member],
    epoch: int,
    wanted: Mapping[str, str],
    elapsed_ms: float,
) -> dict[str, Proxy]:
    """Return what is known of each proxy after one more look at the live members.

    `wanted` maps `model@label` to the id that was pinned. Who confirmed once has confirmed. Who
    is gone is `missing`, but for those that said they were draining: they serve nobody now.
    """
    seen = {member.name: _judged(member, epoch, wanted, elapsed_ms) for member in members}
    for name, proxy in known.items():
        if proxy.ms is not None:
            seen[name] = proxy
        elif name not in seen and proxy.state != DRAINING:
            seen[name] = Proxy(name, proxy.epoch, None, MISSING)
    return dict(sorted(seen.items()))


def _judged(member: Member, epoch: int, wanted: Mapping[str, str], elapsed_ms: float) -> Proxy:
    serves = all(member.versions.get(key) == version for key, version in wanted.items())
    if member.state != SERVING:
        return Proxy(member.name, member.epoch, None, member.state)
    if member.epoch > epoch or (member.epoch == epoch and serves):
        return Proxy(member.name, member.epoch, elapsed_ms, SERVING)
    return Proxy(member.name, member.epoch, None, BEHIND)


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
    """Wait for the fleet. `before` is who was live when the swap was sent, at the event loop's
    time `started_s`. Whatever the store says meanwhile, the swap is made: it
    is asked again."""
    clock = asyncio.get_running_loop().time
    proxies = {m.name: Proxy(m.name, m.epoch, None, m.state) for m in before}
    pause_s = _FIRST_POLL_S
    while True:
        proxies = await _look(store, proxies, epoch, wanted, started_s)
        enough = is_enough(proxies.values(), wait.required)
        left_s = started_s + wait.timeout_s - clock()
        if enough or left_s <= 0:
            break
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, _SLOWEST_POLL_S)
    times = [proxy.ms for proxy in proxies.values() if proxy.ms is not None]
    elapsed_ms = max(times, default=0.0) if enough else _ms(clock() - started_s)
    return Confirmation(tuple(proxies.values()), elapsed_ms, enough or not wait.demanded)


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

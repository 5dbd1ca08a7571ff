"""Before a pin moves, every live proxy fetches, verifies and compiles what is to be pinned.

So a version that some proxy cannot serve is refused while nothing has changed yet, and the swap
itself needs no fetch. Going back is never stopped by this: what would bite is reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.control.ask import ask_fleet
from proxy.errors import NotPrepared
from proxy.store.base import Change, Store
from proxy.versions.names import split_id
from proxy.versions.question import PREPARE, Prepare, Prepared, Wanted, answered
from proxy.versions.record import SERVING, Member

# A proxy that has to fetch takes some milliseconds. One that died keeps its lease for five seconds:
# it must not hold up anybody that long, an emergency least of all.
FORWARD_S = 2.0
BACKWARD_S = 1.0


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one proxy would not serve one version; `reason` is a code."""

    proxy: str
    version: str
    reason: str

    def __str__(self) -> str:
        return f"{self.proxy}: {self.version} {self.reason}"


@dataclass(frozen=True, slots=True)
class Preparation:
    """Which proxies are ready, by name; which rejected what; which did not answer in time."""

    ready: tuple[str, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    silent: tuple[str, ...] = ()
    elapsed_ms: float = 0.0

    def json(self) -> dict[str, Any]:
        return {
            "ready": len(self.ready),
            "rejected": [
                {"name": one.proxy, "version": one.version, "reason": one.reason}
                for one in self.rejected
            ],
            "silent": list(self.silent),
            "elapsed_ms": self.elapsed_ms,
        }


async def prepare(
    store: Store, changes: Sequence[Change], members: Iterable[Member], limit_s: float
) -> Preparation:
    """Have the serving `members` prepare the versions of `changes`; wait `limit_s` at most, and
    do not ask if that is nothing. Raises as `ask_fleet` does."""
    asked = [one for one in members if one.live and one.state == SERVING]
    if not asked or limit_s <= 0:
        return Preparation()
    clock = asyncio.get_running_loop().time
    started_s = clock()
    wanted = Prepare(tuple(map(_wanted, changes)))
    answers = await ask_fleet(store, PREPARE, wanted, asked, limit_s)
    names = {member.key: member.name for member in asked}
    return judged(names, answers, round((clock() - started_s) * 1000, 1))


def judged(
    names: Mapping[str, str], answers: Mapping[str, bytes], elapsed_ms: float
) -> Preparation:
    """Read the answers; `names` maps the keys of those who were asked to what they are called."""
    ready, rejected, silent = [], [], []
    for key, name in names.items():
        prepared = answered(answers[key], Prepared) if key in answers else None
        if prepared is None:
            silent.append(name)
        elif prepared.rejected:
            rejected += [Rejection(name, *item) for item in prepared.rejected.items()]
        else:
            ready.append(name)
    return Preparation(tuple(ready), tuple(rejected), tuple(silent), elapsed_ms)


def require_prepared(preparation: Preparation) -> None:
    """Raise `NotPrepared` if a proxy rejected something."""
    if preparation.rejected:
        raise NotPrepared(
            f"not every proxy can serve it: {'; '.join(map(str, preparation.rejected))}",
            hint="nothing was changed; proxyctl check says more, --force with a reason pins it",
        )


def _wanted(change: Change) -> Wanted:
    parts = split_id(change.id)
    return Wanted(change.model, parts[1].number if parts else 0, change.id, change.digest)

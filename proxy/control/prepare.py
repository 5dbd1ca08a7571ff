"""Before a pin moves, every live proxy fetches, verifies and compiles what is to be pinned, and
looks at it with its own vendors and keys.

So a version that some proxy cannot serve is refused while nothing has changed yet, and the swap
itself needs no fetch. Going back is never stopped by this: what would bite is reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.control.ask import ask_fleet
from proxy.errors import NotPrepared
from proxy.store.base import Change, Store
from proxy.versions.names import split_id
from proxy.versions.question import PREPARE, Prepare, Prepared, Wanted, answered
from proxy.versions.record import SERVING, Member, VersionInfo

# A proxy that has to fetch takes some milliseconds. One that died keeps its lease for five seconds:
# it must not hold up anybody that long, an emergency least of all.
FORWARD_S = 2.0
BACKWARD_S = 1.0

# Of that, so much is for vendors: an answer that says "the vendor is slow" has to arrive too.
VENDORS_SHARE = 0.5


# So many proxies are named where many say the same.
MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one proxy would not serve one version: `reason` is a code, `words` are for people."""

    proxy: str
    version: str
    reason: str
    words: str = ""

    def __str__(self) -> str:
        why = f"{self.reason} ({self.words})" if self.words else self.reason
        return f"{self.proxy}: {self.version} {why}"


@dataclass(frozen=True, slots=True)
class Remark:
    """What one proxy has to say against one version that it would serve all the same."""

    proxy: str
    version: str
    words: str


@dataclass(frozen=True, slots=True)
class Preparation:
    """Which proxies are ready, by name; which rejected what; which did not answer in time; what
    there is to say."""

    ready: tuple[str, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    silent: tuple[str, ...] = ()
    elapsed_ms: float = 0.0
    remarks: tuple[Remark, ...] = ()

    def json(self) -> dict[str, Any]:
        return {
            "ready": len(self.ready),
            "rejected": [
                {
                    "name": one.proxy,
                    "version": one.version,
                    "reason": one.reason,
                    "words": one.words,
                }
                for one in self.rejected
            ],
            "warnings": [
                {"name": one.proxy, "version": one.version, "words": one.words}
                for one in self.remarks
            ],
            "silent": list(self.silent),
            "elapsed_ms": self.elapsed_ms,
        }


async def prepare(
    store: Store, changes: Sequence[Change], members: Iterable[Member], limit_s: float
) -> Preparation:
    """Have the serving `members` prepare the versions of `changes`; wait `limit_s` at most, and
    do not ask if that is nothing. Raises as `ask_fleet` does."""
    return await look(store, tuple(map(_wanted, changes)), members, limit_s)


async def look(
    store: Store, wanted: tuple[Wanted, ...], members: Iterable[Member], limit_s: float
) -> Preparation:
    """Do as `prepare` with versions that nobody is about to pin."""
    asked = [one for one in members if one.live and one.state == SERVING]
    if not (asked and wanted) or limit_s <= 0:
        return Preparation()
    clock = asyncio.get_running_loop().time
    started_s = clock()
    body = Prepare(wanted, vendors_s=limit_s * VENDORS_SHARE)
    answers = await ask_fleet(store, PREPARE, body, asked, limit_s)
    names = {member.key: member.name for member in asked}
    return judged(names, answers, round((clock() - started_s) * 1000, 1))


def judged(
    names: Mapping[str, str], answers: Mapping[str, bytes], elapsed_ms: float
) -> Preparation:
    """Read the answers; `names` maps the keys of those who were asked to what they are called."""
    ready, silent = [], []
    rejected: list[Rejection] = []
    remarks: list[Remark] = []
    for key, name in names.items():
        prepared = answered(answers[key], Prepared) if key in answers else None
        if prepared is None:
            silent.append(name)
            continue
        rejected += _rejections(name, prepared)
        remarks += _remarks(name, prepared)
        if not prepared.rejected:
            ready.append(name)
    return Preparation(tuple(ready), tuple(rejected), tuple(silent), elapsed_ms, tuple(remarks))


def _rejections(name: str, prepared: Prepared) -> Iterator[Rejection]:
    for version, reason in prepared.rejected.items():
        yield Rejection(name, version, reason, prepared.words.get(version, ""))


def _remarks(name: str, prepared: Prepared) -> Iterator[Remark]:
    for version, warnings in prepared.warnings.items():
        yield from (Remark(name, version, words) for words in warnings)


def require_prepared(preparation: Preparation) -> None:
    """Raise `NotPrepared` if a proxy rejected something."""
    if preparation.rejected:
        raise NotPrepared(
            f"not every proxy can serve it: {'; '.join(map(str, preparation.rejected))}",
            hint="nothing was changed; proxyctl check says more, --force with a reason pins it",
        )


def named(info: VersionInfo) -> Wanted:
    return Wanted(info.model, info.number, info.id, info.digest)


def _wanted(change: Change) -> Wanted:
    parts = split_id(change.id)
    return Wanted(change.model, parts[1].number if parts else 0, change.id, change.digest)


def several(names: Sequence[str]) -> str:
    """Name a few of them, and count the others."""
    shown = ", ".join(names[:MOST_NAMES])
    rest = len(names) - MOST_NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown

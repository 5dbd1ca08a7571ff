"""Adopt: what apps ask for today, through proxies that pass it on, becomes a version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxy.control.ask import ask_fleet
from proxy.control.checkout import lay_out
from proxy.control.references import require_model_name
from proxy.errors import InvalidArgument, NothingCaptured, RequestError
from proxy.store.base import Store
from proxy.versions import identity
from proxy.versions.content import Content
from proxy.versions.question import LIVE, Candidate, Live, answered

# How many hex digits of the digest name a candidate.
KEY_DIGITS = 12

_HINT = "set models.capture at the proxies, and let apps ask through them for a while"


@dataclass(frozen=True, slots=True)
class Adoptable:
    """One way of asking, as all live proxies together saw it: `count` times, by these apps.

    `left_out` names what a version cannot hold, `differs` the fields that the version would send
    otherwise than an app did.
    """

    digest: str
    content: Content
    apps: tuple[str, ...]
    dialects: tuple[str, ...]
    count: int
    first_at: str
    last_at: str
    left_out: tuple[str, ...]
    differs: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.digest.removeprefix("sha256:")[:KEY_DIGITS]

    def json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "digest": self.digest,
            "count": self.count,
            "apps": list(self.apps),
            "dialects": list(self.dialects),
            "vendor": self.content.model.vendor,
            "vendor_model": self.content.model.id,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "left_out": list(self.left_out),
            "differs": list(self.differs),
        }


async def adoptable(store: Store) -> list[Adoptable]:
    """Ask the live proxies what apps ask for without a version; what came last first.

    Raises `NothingCaptured` if there is nothing, and what the store raises.
    """
    members = [member for member in await store.members() if member.live]
    if not members:
        raise NothingCaptured("no proxy is live", hint=_HINT)
    told = await ask_fleet(store, LIVE, None, members)
    live = [one for one in (answered(body, Live) for body in told.values()) if one is not None]
    if not any(one.most for one in live):
        raise NothingCaptured("no live proxy remembers what apps ask for", hint=_HINT)
    found = merged(candidate for one in live for candidate in one.candidates)
    if not found:
        raise NothingCaptured("no app asked without a version yet", hint=_HINT)
    return found


def merged(candidates: Iterable[Candidate]) -> list[Adoptable]:
    """Put together what several proxies and apps have in common. What is not what its digest says,
    or cannot be read, is left away."""
    found: dict[str, Adoptable] = {}
    for one in candidates:
        try:
            content = identity.load(one.content.encode(), one.digest)
        except RequestError:
            continue
        fresh = Adoptable(
            one.digest,
            content,
            (one.app,),
            (one.dialect,),
            one.count,
            one.first_at,
            one.last_at,
            one.left_out,
            one.differs,
        )
        known = found.get(one.digest)
        found[one.digest] = fresh if known is None else _both(known, fresh)
    return sorted(found.values(), key=lambda one: one.last_at, reverse=True)


def _both(one: Adoptable, other: Adoptable) -> Adoptable:
    return replace(
        one,
        apps=_union(one.apps, other.apps),
        dialects=_union(one.dialects, other.dialects),
        count=one.count + other.count,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        left_out=_union(one.left_out, other.left_out),
        differs=_union(one.differs, other.differs),
    )


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def picked(found: Sequence[Adoptable], pick: str | None) -> Adoptable | None:
    """Return the one whose key begins with `pick`; without that the only one, None if there are
    several. Raises `NothingCaptured` for a key that none has, `InvalidArgument` for one of many."""
    if pick is None:
        return found[0] if len(found) == 1 else None
    fitting = [one for one in found if pick and one.key.startswith(pick.lower())]
    if len(fitting) > 1:
        raise InvalidArgument(
            "several candidates have a key that begins so", hint="give --pick more of its letters"
        )
    if not fitting:
        raise NothingCaptured(
            "no candidate has a key that begins so", hint="leave --pick away to see them"
        )
    return fitting[0]


async def write_files(store: Store, models_dir: Path, model: str, chosen: Adoptable) -> list[str]:
    """Make the folder of `model` say what was chosen; return the names of what was written.

    Raises `UnsavedChanges` if the folder holds something that is not registered, and `NotWritable`.
    """
    require_model_name(model)
    written, _ = await lay_out(store, models_dir / model, model, chosen.content)
    return list(written)

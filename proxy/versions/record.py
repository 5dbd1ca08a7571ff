"""What the store keeps about versions and pins: plain frozen values.

Times are UTC, RFC 3339 with milliseconds (`2026-11-23T14:18:00.000Z`), taken from the store's
clock, so that one clock orders one history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

PROD = "prod"


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known about a version beside its behaviour; not part of the digest.

    `parent` is a version id. `commit` and `dirty` are None where there was no git.
    """

    by: str
    message: str = ""
    parent: str | None = None
    commit: str | None = None
    dirty: bool | None = None


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A registered version without its content: a row of a listing."""

    model: str
    number: int
    id: str
    digest: str
    at: str
    meta: Meta
    bytes: int


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version. `content` is the canonical bytes that `info.digest` is over."""

    info: VersionInfo
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registered:
    info: VersionInfo
    created: bool


class Kind(StrEnum):
    """What an entry of the history records."""

    REGISTER = "register"
    PIN = "pin"
    ROLLBACK = "rollback"
    UNDO = "undo"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


PIN_KINDS = frozenset({Kind.PIN, Kind.ROLLBACK, Kind.UNDO})


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a model's history. `version` and `previous` are version ids.

    `epoch` is the epoch after the event. `revoked` and `restored` are the ids of versions whose
    revocation this event made or lifted. `label` is empty where the event concerns none.
    """

    model: str
    kind: Kind
    epoch: int
    at: str
    by: str
    operation: str
    label: str = ""
    version: str | None = None
    digest: str | None = None
    previous: str | None = None
    reason: str = ""
    forced: bool = False
    revoked: str | None = None
    restored: str | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    """What a label holds. `operation` is the id of the operation that put it there."""

    model: str
    label: str
    epoch: int
    id: str
    digest: str
    operation: str


PinKey = tuple[str, str]
"""A model and a label."""


@dataclass(frozen=True, slots=True)
class Pins:
    """All pins at one moment. `broken` names labels whose pin cannot be read (written by hand)."""

    epoch: int
    pins: dict[PinKey, Pin]
    broken: frozenset[PinKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Guards:
    """What stands between a model and a forward pin. `revoked` maps version ids to reasons."""

    frozen: bool
    frozen_reason: str
    revoked: dict[str, str]


@dataclass(frozen=True, slots=True)
class Member:
    """A live proxy as it reports itself; the store forgets it when its lease runs out.

    `versions` maps `model@label` to the version id that is served for it. `epoch` is the epoch
    up to which the proxy follows the store. `age_s` is how long ago it reported (set on reading).
    """

    name: str
    epoch: int
    versions: dict[str, str]
    release: str = ""
    fingerprint: str = ""
    state: str = "serving"
    detail: str = ""
    age_s: float = 0.0

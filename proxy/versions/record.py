"""What the store keeps about versions and pins: plain frozen values.

Times are UTC, RFC 3339 with milliseconds (`2026-11-23T14:18:00.000Z`), taken from the store's
clock, so that one clock orders one history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from proxy.versions.evidence import Drill, Gate

PROD = "prod"
"""The label that apps get, and the only one with a gate."""

DRILL = "drill"
"""The label that rollbacks are rehearsed on; never served to apps."""

SERVING = "serving"
DRAINING = "draining"
"""The states that a proxy reports: it takes requests, or it stops and takes no new ones."""


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
    RESTORE = "restore"
    """A version that the store had lost is there again, under its number."""
    RECORD = "record"
    """A pin that was set by hand is in the history now."""
    REPAIR = "repair"
    """A pin that the store had lost is what the fleet serves again."""
    EVAL = "eval"
    """A result was attached to a version."""
    GATE = "gate"
    """The gate in force was changed."""
    RATIFY = "ratify"
    """A forced pin was accepted after the fact."""
    DRILL = "drill"
    """A rollback was rehearsed."""


PIN_KINDS = frozenset({Kind.PIN, Kind.ROLLBACK, Kind.UNDO, Kind.RECORD, Kind.REPAIR})


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a model's history. `version` and `previous` are version ids.

    `epoch` is the epoch after the event. `revoked` and `restored` are the ids of versions whose
    revocation this event made or lifted. `label` is empty where the event concerns none. `verdict`
    points to the result that approved a pin, or that was attached; `detail` is JSON, what a gate,
    a result or a drill was about.
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
    verdict: str | None = None
    detail: str = ""


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
class Question:
    """What a command asks every live proxy, through the store: sidecars listen on loopback only.

    `kind` says what `body` is; a proxy that does not know the kind does not answer.
    """

    id: str
    kind: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Former:
    """A version (an id) that a label held until `at_ms`, milliseconds since 1970 by the store's
    clock, and that nobody revoked since."""

    id: str
    label: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Pins:
    """All pins at one moment. `broken` names labels whose pin cannot be read (written by hand).
    `questions` are those that the fleet was asked a moment ago, `former` what labels held of late,
    oldest first; they are no part of the pins, and only a watch reads them."""

    epoch: int
    pins: dict[PinKey, Pin]
    broken: frozenset[PinKey] = frozenset()
    questions: tuple[Question, ...] = field(default=(), compare=False)
    former: tuple[Former, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Guards:
    """What stands between a model and a forward pin. `revoked` maps version ids to reasons.

    `gate` is the one in force; None: registration is enough. `unratified` are labels with versions
    that were forced there, by `label:id`; the value is the epoch. `drill` is the last one.
    """

    frozen: bool
    frozen_reason: str
    revoked: dict[str, str]
    gate: Gate | None = None
    unratified: dict[str, int] = field(default_factory=dict)
    drill: Drill | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A proxy as it reports itself. It stays in the store until it leaves, or was silent for long.

    `instance` tells proxies of one name apart: the old and the new one of an upgrade. `versions`
    maps `model@label` to the version id that is served for it. `epoch` is the epoch up to which
    the proxy follows the store, `store` how it stands with it (`following`, `behind`),
    `contact_s` how long before the report the store had answered last. `older` counts requests
    that are still answered by versions which no label holds any more. `rejected` names, as
    `model@label`, pins that the store holds and the proxy does not serve. `age_s` is how long ago
    it reported, and `live` whether its lease has not run out (both set on reading).
    """

    name: str
    epoch: int
    versions: dict[str, str]
    release: str = ""
    fingerprint: str = ""
    state: str = SERVING
    detail: str = ""
    age_s: float = 0.0
    instance: str = ""
    store: str = ""
    contact_s: float | None = None
    older: int = 0
    rejected: tuple[str, ...] = ()
    live: bool = True

    @property
    def key(self) -> str:
        """What this one member is found under, and no other."""
        return f"{self.name}/{self.instance}" if self.instance else self.name

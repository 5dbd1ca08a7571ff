"""What a supervisor and a worker tell each other, and settings on their way between them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, SecretStr

from proxy.settings import Settings


class What(StrEnum):
    """What the admin listener asks of each worker."""

    READINESS = "readiness"
    STATUS = "status"
    METRICS = "metrics"


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Serve. Goes through a private pipe, since `settings` and `env` hold secrets.

    `name` and `instance` are the fleet's. `sockets` are inherited descriptors, `listeners` counts
    those of all workers. `forget` are the fleet's keys of workers that died in this one's place.
    """

    worker: int
    name: str
    instance: str
    settings: dict[str, Any]
    env: dict[str, str]
    sockets: list[int]
    listeners: int
    saves: bool
    forget: list[str] = []

    @property
    def member(self) -> str:
        """The key under which the fleet knows the worker."""
        return f"{self.name}/{self.instance}"

    def __repr__(self) -> str:
        return f"Begin(worker={self.worker})"


class Ask(msgspec.Struct, frozen=True, tag=True):
    id: int
    what: What


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Drain: the whole proxy stops."""

    quick: bool = False


class Retire(msgspec.Struct, frozen=True, tag=True):
    """Drain: others serve already; with `shared`, they accept from the same sockets."""

    shared: bool


class Cut(msgspec.Struct, frozen=True, tag=True):
    """Do not wait any more."""


class Save(msgspec.Struct, frozen=True, tag=True):
    """Save last known good from now on."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker serves."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The worker cannot serve, and ends."""

    problems: list[str]


class Answer(msgspec.Struct, frozen=True, tag=True):
    id: int
    body: Any


class Deaf(msgspec.Struct, frozen=True, tag=True):
    """The worker accepts no more connections."""


class Over(msgspec.Struct, frozen=True, tag=True):
    """The worker ends; `metrics` is its last page."""

    metrics: str


Order = Begin | Ask | Stop | Retire | Cut | Save
News = Ready | Failed | Answer | Deaf | Over


def handed(settings: Settings) -> dict[str, Any]:
    """Return `settings` as JSON values, secrets included."""
    values = _plain(settings)
    assert isinstance(values, dict)
    return values


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case tuple():
            return [_plain(item) for item in value]
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value)
    return value

"""The protocol of a dialect: one vendor wire format, bytes in and bytes out.

The way of one request: `read` says what was asked for, the gateway chooses a version, `compose`
puts the version's part in. `compile` does once, when a version is loaded, whatever does not
depend on a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from proxy.dialects.raw import Buffer, Raw
from proxy.errors import RequestError
from proxy.versions.content import Content


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a request says, before a version is chosen.

    `address` is what the app called the model (`recommender@v6`), `variables` the values for
    placeholders, `fields` the top level of the body without what was meant for the proxy.
    """

    address: str
    stream: bool
    fields: dict[str, Raw]
    variables: Mapping[str, str]
    prompt_id: str = ""
    prompt_version: str = ""


class Composed(msgspec.Struct, frozen=True, gc=False):
    """The body for the vendor in pieces, to be sent one after the other.

    The vendor model's id (as JSON) belongs between `opening` and `rest`, so that a fallback to
    another target changes that and nothing else. `dropped` lists what the app sent and the policy
    did not let through, by names on the wire; `app_fields` what the app decided.
    """

    opening: bytes
    rest: tuple[Buffer, ...]
    dropped: tuple[str, ...] = ()
    app_fields: tuple[str, ...] = ()

    def body(self, vendor_model: bytes) -> list[Buffer]:
        return [self.opening, vendor_model, *self.rest]


class Seen(msgspec.Struct, gc=False):
    """What an observer learnt from an answer; None where it saw nothing of the kind.

    `ended` says that the dialect's end of an answer was there, `failed` that the vendor reported
    an error inside the answer, `lost_sight` that it was too large to be looked at.
    """

    served_model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    finish_reason: str | None = None
    ended: bool = False
    failed: bool = False
    lost_sight: bool = False


class Observer(Protocol):
    """Watches an answer go by. It may lose sight; it never fails and never changes a byte."""

    @property
    def between_events(self) -> bool:
        """Whether the answer is a stream that stands at the end of an event."""

    def feed(self, chunk: bytes) -> None: ...

    def finish(self) -> Seen: ...


class Compiled(Protocol):
    """A version made ready for one dialect; opaque to everybody but that dialect."""

    def compose(self, asked: Asked) -> Composed:
        """Put the version into the request. Pure; raises `RequestError`s of fault `caller`."""


class Dialect(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str:
        """The vendor's own path, appended to its base URL."""

    @property
    def forwarded_prefixes(self) -> tuple[bytes, ...]:
        """Request headers of this dialect that go to the vendor, by prefix, lower case."""

    def read(self, body: bytes | bytearray, *, depth: int) -> Asked:
        """Say what a request asks for. Raises `InvalidJson` or `InvalidRequest`."""

    def compile(self, content: Content) -> Compiled:
        """Make `content` ready. Raises `WrongDialect` if it holds what this dialect lacks."""

    def observer(self, *, stream: bool) -> Observer:
        """Return a new observer for one answer, a stream or a document."""

    def error_body(self, error: RequestError, request_id: str) -> bytes:
        """Render `error` the way this dialect's SDKs expect to parse it."""

    def error_event(self, error: RequestError, request_id: str) -> bytes:
        """The in-band event that reports a stream broken by the vendor; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A generation field as one dialect writes it.

    `wire` is its name on the wire, `aliases` other names that mean the same setting.
    """

    field: str
    wire: str
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.wire, *self.aliases)


JsonValue = Any

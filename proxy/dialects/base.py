"""The protocol of a dialect: one vendor wire format, bytes in and bytes out.

A dialect has endpoints, the kinds of calls that there are, each under a path of its own; it is
itself the main one. The way of one request: its path finds the endpoint, `read` says what was
asked for, the gateway chooses a version, `compose` puts the version's part in. `compile` does
once, when a version is loaded, whatever does not depend on a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from proxy.dialects.raw import Buffer, Raw
from proxy.errors import RequestError
from proxy.settings import Auth
from proxy.versions.content import Content
from proxy.versions.variables import Given

Headers = Mapping[bytes, bytes]
"""A request's headers: names in lower case, the last value of each."""

NO_HEADERS: Headers = {}

JsonValue = Any

Rows = Sequence[Mapping[str, str]]
"""Models in a list; each has an `id` and the `version` that answers."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a request says, before a version is chosen.

    `address` is what the app called the model (`recommender@v6`), `variables` the values for
    placeholders, `fields` the top level of the body without what was meant for the proxy. `kind`
    is that of the endpoint, `api` the version of the vendor's API that the app speaks, where a
    dialect has several.
    """

    address: str
    stream: bool
    fields: dict[str, Raw]
    variables: Mapping[str, Given]
    prompt_id: str = ""
    prompt_version: str = ""
    kind: str = ""
    api: str = ""


class Composed(msgspec.Struct, frozen=True, gc=False):
    """The body for the vendor in pieces, to be sent one after the other.

    The vendor model's id (as JSON) belongs between `opening` and `rest`, so that a fallback to
    another target changes that and nothing else. `dropped` lists what the app sent and the policy
    did not let through, by names on the wire; `app_fields` what the app decided. `headers` are
    comma lists that the version adds to, by name in lower case.
    """

    opening: bytes
    rest: tuple[Buffer, ...]
    dropped: tuple[str, ...] = ()
    app_fields: tuple[str, ...] = ()
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def body(self, vendor_model: bytes) -> list[Buffer]:
        return [self.opening, vendor_model, *self.rest]


class WithoutModel(Composed, frozen=True, gc=False):
    """A body that needs no model from us: it names one already, or the path does."""

    def body(self, vendor_model: bytes) -> list[Buffer]:
        return list(self.rest)


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


class Endpoint(Protocol):
    """A kind of call."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def path(self) -> str:
        """The vendor's own path, appended to its base URL. `NAME` stands where it has a model."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """Other paths that never change under which apps call it."""

    def serves(self, path: bytes) -> bool:
        """Say whether `path`, as it was sent, is this endpoint's. Asked only where `self.path`
        holds `NAME`: all others are looked up."""

    def read(
        self,
        body: bytes | bytearray,
        *,
        depth: int,
        target: bytes = b"",
        headers: Headers = NO_HEADERS,
    ) -> Asked:
        """Say what a request asks for. `target` is its path and query, as they were sent. Raises
        `InvalidJson` or `InvalidRequest`."""

    def upstream_path(self, target: bytes, vendor_model: str, prefix: bytes = b"") -> bytes:
        """Return the path at a vendor whose base URL has the path `prefix`, for a request to
        `target`."""

    def observer(self, *, stream: bool) -> Observer:
        """Return a new observer for one answer, a stream or a document."""


class Dialect(Endpoint, Protocol):
    @property
    def name(self) -> str: ...

    @property
    def others(self) -> tuple[Endpoint, ...]:
        """The endpoints beside the main one."""

    @property
    def auth(self) -> Auth:
        """How vendors of this dialect want their key."""

    @property
    def mark(self) -> bytes:
        """The header that apps of this dialect send with every call, and others do not; empty if
        there is none. It tells in whose shape to answer where the path does not."""

    @property
    def users(self) -> tuple[str, ...]:
        """Where a body says for which user an app asks, `metadata.user_id` for one inside of an
        object; the first that is there counts."""

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """How paths begin that are of this dialect's API only, versions of it as a rule; under each
        is its list of models too."""

    @property
    def query_keys(self) -> Mapping[bytes, bytes]:
        """Parameters of a query that hold a key, and the header that it belongs into: in the query
        it goes no further."""

    def models_path(self, prefix: str) -> str:
        """Return where a vendor lists its models, behind `prefix`, the path of its base URL."""

    @property
    def forwarded_prefixes(self) -> tuple[bytes, ...]:
        """Request headers of this dialect that go to the vendor, by prefix, lower case."""

    @property
    def added_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that the vendor must have, for apps that send none of the name."""

    def compile(self, content: Content) -> Compiled:
        """Make `content` ready. Raises `WrongDialect` if it holds what this dialect lacks."""

    def advice(self, content: Content) -> Iterator[str]:
        """Yield what people should know of a version that can be served, if there is something."""

    def listed(self, rows: Rows) -> JsonValue:
        """Return a list of models in the shape that this dialect's SDKs read."""

    def described(self, row: Mapping[str, str]) -> JsonValue:
        """Return one model, as it is in that list."""

    def error_body(self, error: RequestError, request_id: str) -> bytes:
        """Render `error` the way this dialect's SDKs expect to parse it."""

    def error_event(self, error: RequestError, request_id: str) -> bytes:
        """The in-band event that reports a stream broken by the vendor; empty if there is none."""


NAME = "NAME"
"""Where a path of an endpoint has the model (`Endpoint.path`)."""


def path_for(endpoint: Endpoint, model: str) -> str:
    """Return the path of a call of `endpoint` that asks for `model`."""
    return endpoint.path.replace(NAME, quote(model, safe="@"))


class FixedPath:
    """An endpoint that has the model in the body, under a path that never changes."""

    path: str
    spellings: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._path = self.path.encode()

    def serves(self, path: bytes) -> bool:
        return path == self._path

    def upstream_path(self, target: bytes, vendor_model: str, prefix: bytes = b"") -> bytes:
        return prefix + self._path


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

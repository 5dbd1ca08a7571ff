"""Which headers cross the proxy. Pure: allow-lists in both directions, heads built anew."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from proxy.dialects.base import Dialect
from proxy.dialects.registry import DIALECTS
from proxy.gateway.query import take_keys
from proxy.http.head import Head, Headers

# What says which version made an answer. An app that sends it back continues what began with it.
STAMP = b"x-proxy-version"

# From the app to the vendor, beside what the dialect names.
FORWARDED = frozenset(
    {
        b"accept",
        b"user-agent",
        b"idempotency-key",
        b"traceparent",
        b"tracestate",
        b"x-client-request-id",
    }
)

# Only where the app's own credential passes through: they belong to it.
WITH_CREDENTIAL = frozenset(
    {
        *(b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"),
        *(b"openai-organization", b"openai-project", b"anthropic-workspace-id"),
        b"x-goog-user-project",
    }
)

# Where a request is passed through: a body's form, and parts of a file.
ALSO_FORWARDED = frozenset({b"content-type", b"content-encoding", b"range", b"if-range"})

# From the vendor to the app: what SDKs read, request ids and rate limits. Never framing, cookies,
# or what speaks about the vendor's host; never a stamp that is not ours.
_RETURNED = frozenset(
    {
        b"content-type",
        b"content-encoding",
        b"date",
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
        b"x-request-id",
        b"request-id",
        b"apim-request-id",
        b"cf-ray",
        b"warning",
    }
)
_RETURNED_PREFIXES = (
    b"openai-",
    b"x-ratelimit-",
    b"anthropic-",
    b"x-ms-",
    b"azureml-",
    b"x-groq-",
    b"x-gemini-",
)

# Beside these, from answers to what was passed through: names and parts of files.
_RETURNED_THROUGH = frozenset(
    {b"content-disposition", b"content-range", b"accept-ranges", b"etag", b"last-modified"}
)

# Far more than the vendors' SDKs and answers have; what comes above that is looked at each time.
MOST_NAMES = 256
MOST_NAME_BYTES = 64

# As a number it is found ten times as fast as bytes are.
_QUERY = ord("?")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def with_keys(dialect: Dialect, head: Head) -> tuple[bytes, Headers]:
    """Return the query without the keys that apps of `dialect` may put there, and the headers with
    them."""
    if _QUERY not in head.target:
        return b"", head.headers
    query = head.query
    if not dialect.query_keys:
        return query, head.headers
    query, keys = take_keys(query, dialect.query_keys)
    return query, [*head.headers, *(one for one in keys if one[0] not in head.fields)]


class Crossing:
    """Which headers cross in one direction: those with one of these names, or that begin so.

    What was found out about a name is remembered, since nearly all requests have the same ones: of
    `MOST_NAMES` that are no longer than `MOST_NAME_BYTES`, whoever sent them.
    """

    __slots__ = ("_begins", "_names", "_prefixes")

    def __init__(self, names: Collection[bytes], prefixes: tuple[bytes, ...]) -> None:
        self._names = names
        self._prefixes = prefixes
        self._begins: dict[bytes, bytes] = {}

    def lines(self, headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Return the lines of those that cross, without line ends."""
        begins, lines = self._begins, []
        for name, value in headers:
            begin = begins.get(name)
            if begin is None:
                begin = self._look(name)
            if begin:
                lines.append(begin + value)
        return lines

    def _look(self, name: bytes) -> bytes:
        """Return how the line of a header begins; empty if it does not cross."""
        crosses = name in self._names or name.startswith(self._prefixes)
        begin = name + b": " if crosses else b""
        if len(name) <= MOST_NAME_BYTES and len(self._begins) < MOST_NAMES:
            self._begins[name] = begin
        return begin


class Crossings:
    """What crosses from apps to vendors, and back."""

    def __init__(self) -> None:
        self.returned = Crossing(_RETURNED, _RETURNED_PREFIXES)
        self.returned_through = Crossing(_RETURNED | _RETURNED_THROUGH, _RETURNED_PREFIXES)
        prefixes = {name: dialect.forwarded_prefixes for name, dialect in DIALECTS.items()}
        self._forwarded = {
            (name, credential): Crossing(names, begins)
            for credential, names in ((False, FORWARDED), (True, FORWARDED | WITH_CREDENTIAL))
            for name, begins in prefixes.items()
        }
        every = tuple({begin for begins in prefixes.values() for begin in begins})
        unread = FORWARDED | ALSO_FORWARDED
        self._forwarded_through = {
            False: Crossing(unread, every),
            True: Crossing(unread | WITH_CREDENTIAL, every),
        }

    def forwarded(self, dialect: Dialect, *, with_credential: bool) -> Crossing:
        """Return what goes to a vendor; `with_credential`: the app's own passes."""
        return self._forwarded[dialect.name, with_credential]

    def forwarded_through(self, *, with_credential: bool) -> Crossing:
        """Return what goes to a vendor with what is passed through, in whatever dialect."""
        return self._forwarded_through[with_credential]


def upstream_head(
    target: bytes,
    host: bytes,
    headers: Headers,
    dialect: Dialect,
    credential: bytes | None,
    length: int,
    crossings: Crossings,
) -> bytes:
    """Build the head of a call to a vendor, ended. `credential` None: the app's own passes.
    `headers` are those of the app, of which the listed ones go out, and what `dialect` names.

    The vendor is asked not to compress: the answer's bytes go through unchanged, and what an
    observer cannot read it cannot count.
    """
    passed = crossings.forwarded(dialect, with_credential=credential is None).lines(headers)
    if dialect.added_headers:
        passed += _missing(dialect, headers)
    return b"".join(
        (
            *(b"POST ", target, b" HTTP/1.1\r\nhost: ", host, b"\r\n", credential or b""),
            joined(passed),
            b"content-type: application/json\r\naccept-encoding: identity\r\n"
            b"content-length: %d\r\n\r\n" % length,
        )
    )


def joined(lines: list[bytes]) -> bytes:
    """Put line ends behind lines that have none."""
    return b"\r\n".join((*lines, b""))


def _missing(dialect: Dialect, headers: Headers) -> list[bytes]:
    names = {name for name, _ in headers}
    return [b"%b: %b" % item for item in dialect.added_headers if item[0] not in names]


def with_lists(headers: Headers, lists: Headers | tuple[tuple[bytes, bytes], ...]) -> Headers:
    """Add to headers that hold comma lists what a version adds: its values come after the app's,
    each once. A name that the app sent several times becomes one line."""
    for name, more in lists:
        found = [value for key, value in headers if key == name]
        values = dict.fromkeys(
            one.strip() for text in (*found, more) for one in text.split(b",") if one.strip()
        )
        others = [item for item in headers if item[0] != name]
        headers = [*others, (name, b",".join(values))]
    return headers


def sent_request_id(given: bytes | None) -> str | None:
    """Return the app's request id if it is well formed."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return None


def is_offered(coding: bytes, offered: bytes) -> bool:
    """Say whether an app that sent `accept-encoding: offered` can decode `coding`."""
    names = {part.partition(b";")[0].strip().lower() for part in offered.split(b",")}
    return coding.strip().lower() in names

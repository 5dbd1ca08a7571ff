"""What is passed through unread, to which vendor, and with which head. Pure (docs/passthrough.md).

A path that the proxy does not serve itself is forwarded as it came, under the operator's key. So it
must not lead out of what the operator named as the vendor's base URL, whoever decodes it on the
way, and nothing that the app was let in by goes along.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from proxy.gateway.calls import Calls
from proxy.gateway.headers import Crossings, joined
from proxy.gateway.routes import dialect_of
from proxy.http.head import Head

# A HEAD's answer has a length and no body, and OPTIONS is what browsers ask: neither is any SDK's.
METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"})

# A path is shown in the log, and whoever calls may make it long.
MOST_SHOWN: Final = 200

# Ways to send a key beside the headers, as vendors take them.
_KEYS: Final = frozenset({b"key", b"api_key", b"api-key", b"apikey", b"access_token"})

_GEMINI_PATH: Final = re.compile(rb"/(?:upload/|download/)?v1(?:alpha|beta)[0-9]*/")


def family(head: Head) -> str:
    """Return how the names of the dialects begin that `head` is meant for, by the marks that their
    SDKs leave in every call."""
    if b"x-goog-api-key" in head.fields or _GEMINI_PATH.match(head.path):
        return "gemini."
    return dialect_of(head).name.partition(".")[0] + "."


def may_pass(head: Head) -> bool:
    """Say whether what `head` asks for stays below a vendor's base URL, however it is decoded."""
    return head.method in METHODS and _is_plain(head.path)


def _is_plain(path: bytes) -> bool:
    """Say whether no segment is empty, a dot or two, or can become one when it is decoded again."""
    decoded = unquote_to_bytes(path)
    if b"%" in decoded or b"\\" in decoded or b"?" in decoded or b"#" in decoded:
        return False
    # Some servers drop what follows a semicolon before they look for dots.
    *segments, last = (segment.partition(b";")[0] for segment in decoded.split(b"/")[1:])
    return not {b"", b".", b".."}.intersection(segments) and last not in (b".", b"..")


def query_without_keys(query: bytes) -> bytes:
    """Return `query`, with its question mark, without what an app may have proved itself by."""
    if not query:
        return query
    parts = query[1:].split(b"&")
    kept = [part for part in parts if not _is_key(part.partition(b"=")[0])]
    return b"?" + b"&".join(kept) if kept else b""


def _is_key(name: bytes) -> bool:
    return unquote_to_bytes(name.replace(b"+", b" ")).strip().lower() in _KEYS


def shown(head: Head) -> str:
    """Return method and path for the log: no query, which may hold anything."""
    return f"{head.method.decode()} {head.path.decode()}"[:MOST_SHOWN]


def through_head(
    head: Head,
    prefix: bytes,
    host: bytes,
    credential: bytes | None,
    crossings: Crossings,
    *,
    path: bytes = b"",
    calls: Calls | None = None,
) -> bytes:
    """Build the head of a call to a vendor, ended. `prefix` is the path of its base URL;
    `credential` None: the app's own passes. `path`, if there is one, stands in place of the app's,
    and is called as `calls` say.

    The body's framing is the one that the parser went by: a length that it read, or chunks.
    """
    passed = crossings.forwarded_through(with_credential=credential is None).lines(head.headers)
    query = head.query if credential is None else query_without_keys(head.query)
    path = path or head.path
    target = calls.target(path, "", query) if calls is not None else prefix + path + query
    return b"".join(
        (
            b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (head.method, target, host),
            credential or b"",
            joined(passed),
            b"accept-encoding: identity\r\n",
            _framing(head),
            b"\r\n",
        )
    )


def _framing(head: Head) -> bytes:
    if is_chunked(head):
        return b"transfer-encoding: chunked\r\n"
    length = head.fields.get(b"content-length")
    if length is None and head.method in (b"GET", b"DELETE"):
        return b""
    return b"content-length: %d\r\n" % int(length or b"0")


def is_chunked(head: Head) -> bool:
    return b"transfer-encoding" in head.fields

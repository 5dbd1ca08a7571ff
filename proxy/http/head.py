"""The head of a request: what the parser lets through and this proxy does not.

Pure. llhttp is strict about framing; what is left is what only a proxy has to care about: which
host a target names, transfer codings that we would have to undo, protocols we would tunnel.
"""

from __future__ import annotations

import re

import msgspec

from proxy.errors import BadFraming, HeadersTooLarge, MethodNotAllowed

Headers = list[tuple[bytes, bytes]]

_TARGET = re.compile(rb"/[\x21-\x22\x24-\x5b\x5d-\x7e]*")
_BAD_ESCAPE = re.compile(rb"%(?:[01][0-9a-fA-F]|7[fF]|(?![0-9a-fA-F]{2}))")

# A byte is looked for as a number: as bytes it takes ten times as long.
_PERCENT = ord("%")

# A second copy of any of these makes it ambiguous what the sender meant.
_SINGLE = frozenset(
    {b"host", b"authorization", b"content-length", b"content-type", b"expect", b"transfer-encoding"}
)

_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})


class Head(msgspec.Struct, frozen=True, gc=False):
    """A request's head. Header names are lower case; `fields` holds the last value of each."""

    method: bytes
    target: bytes
    version: str
    keep_alive: bool
    headers: Headers
    fields: dict[bytes, bytes]

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """The query with its question mark, as it was sent."""
        return b"".join(self.target.partition(b"?")[1:])


def check_head(head: Head) -> None:
    """Raise `BadFraming` or `MethodNotAllowed` for a head that is not to be served.

    Sources: RFC 9112 sections 3.2, 6.1 and 7.8; the advisories listed in docs/security.md.
    """
    if head.method not in _METHODS:
        raise MethodNotAllowed()
    if head.version not in ("1.1", "1.0") or not _is_plain(head.target):
        raise BadFraming()
    if len(head.fields) != len(head.headers):
        _check_doubles(head)
    _check_fields(head)


def check_size(target: bytes, headers: Headers, limit: int) -> None:
    """Raise `HeadersTooLarge` for a request line and headers of more than `limit` bytes."""
    if len(target) + sum(len(name) + len(value) + 4 for name, value in headers) > limit:
        raise HeadersTooLarge()


def _is_plain(target: bytes) -> bool:
    """Say whether the target is a path of visible ASCII: no other host, fragment or backslash."""
    if _TARGET.fullmatch(target) is None:
        return False
    return _PERCENT not in target or _BAD_ESCAPE.search(target) is None


def _check_doubles(head: Head) -> None:
    names = [name for name, _ in head.headers]
    if any(names.count(name) > 1 for name in _SINGLE.intersection(names)):
        raise BadFraming()


def _check_fields(head: Head) -> None:
    fields = head.fields
    if b"host" not in fields and head.version == "1.1":
        raise BadFraming()
    if b"upgrade" in fields:
        raise BadFraming("protocol upgrades are not served")
    coding = fields.get(b"transfer-encoding")
    if coding is not None and (head.version == "1.0" or coding.lower() != b"chunked"):
        raise BadFraming()
    if fields.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise BadFraming("this expectation cannot be met")

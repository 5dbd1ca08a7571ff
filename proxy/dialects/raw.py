"""JSON objects taken apart one level deep, with the values left as the app sent them.

The top level is decoded into names and raw values: names are unescaped and each is there once (the
last one wins), so nothing can be smuggled past the policy by escapes or duplicates. The raw values
are checked for what a raw value may still hide: bytes that are no UTF-8, deep nesting, and escapes
that are no character.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from proxy.errors import InvalidJson, InvalidRequest

Raw = msgspec.Raw
Fields = Mapping[str, Raw]
Buffer = bytes | bytearray | memoryview | Raw

# No vendor has half as many top-level parameters; each costs us a name and a value object.
MAX_FIELDS = 256

# Beyond this size nesting is bounded by the parser's own recursion guard alone, at about 1,000
# levels: the exact check costs more than all else that is done to a body of a megabyte.
EXACT_BYTES = 64 * 1024

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_ANY = msgspec.json.Decoder()
_NOT_BRACKET = bytes(sorted(set(range(256)) - set(b"[]{}")))

# As a number it is found ten times as fast as bytes are.
_BACKSLASH = ord("\\")

NULL = Raw(b"null")

T = TypeVar("T")


def read_object(body: bytes | bytearray, *, depth: int) -> dict[str, Raw]:
    """Decode the top level of `body`.

    Raises `InvalidJson` if it is not JSON in UTF-8 or nests deeper than `depth`, `InvalidRequest`
    if it is JSON but no object, or has too many fields.
    """
    if not body.isascii():
        _check_text(body)
    try:
        fields = _OBJECT.decode(body)
    except msgspec.ValidationError:
        raise InvalidRequest("the body must be a JSON object") from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidJson() from None
    if len(fields) > MAX_FIELDS:
        raise InvalidRequest("the body has too many fields")
    if len(body) <= EXACT_BYTES:
        _look_closer(body, depth)
    return fields


def _look_closer(body: bytes | bytearray, depth: int) -> None:
    if is_deeper(body, depth):
        raise InvalidJson("the body nests too deeply")
    if _BACKSLASH in body and (b"\\ud" in body or b"\\uD" in body):
        _check_escapes(body)


def _check_text(body: bytes | bytearray) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise InvalidJson("the body is not valid UTF-8") from None


def _check_escapes(body: bytes | bytearray) -> None:
    """Refuse lone surrogates: a vendor may replace, drop or choke on them."""
    try:
        _ANY.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidJson() from None


def is_deeper(body: bytes | bytearray, depth: int) -> bool:
    """Say whether valid JSON nests deeper than `depth`.

    Most bodies have fewer opening brackets than that, strings included. For the others strings
    are cut out and closed pairs are removed, innermost first, as often as the limit allows.
    """
    if body.count(b"{") + body.count(b"[") <= depth:
        return False
    quoted = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
    brackets = b"".join(quoted[::2]).translate(None, _NOT_BRACKET)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = _without_closed(brackets)
    return bool(brackets)


def _without_closed(brackets: bytes) -> bytes:
    """Remove one level: every pair that holds nothing."""
    return brackets.replace(b"[]", b"\0").replace(b"{}", b"\0").replace(b"\0", b"")


def read_list(raw: Buffer) -> list[Raw]:
    """Decode one level of a list. Raises `InvalidRequest` if it is none."""
    return read_as(_LIST, raw, "a list was expected")


def read_nested(raw: Raw, name: str) -> dict[str, Raw]:
    """Decode one level of an object inside the body, its field `name`. Raises `InvalidRequest` if
    it is none."""
    return read_as(_OBJECT, raw, f"{name} must be an object")


def read_as(decoder: msgspec.json.Decoder[T], raw: Buffer, complaint: str) -> T:
    """Decode `raw` with a typed decoder. Raises `InvalidRequest(complaint)` if it does not fit.

    What the body's first pass let through may be too deep here: the recursion guard counts from
    where it is called. Raises `InvalidJson` then.
    """
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError:
        raise InvalidRequest(complaint) from None
    except RecursionError:
        raise InvalidJson("the body nests too deeply") from None


def is_null(raw: Raw) -> bool:
    return len(raw) == 4 and bytes(raw) == b"null"


def list_inner(raw: Raw) -> memoryview:
    """Return what stands between the brackets of a raw list, without a copy; empty if nothing."""
    view = memoryview(raw)
    inner = view[1:-1]
    if len(inner) < 64 and not bytes(inner).strip(b" \t\r\n"):
        return view[:0]
    return inner


def key_bytes(name: str) -> bytes:
    """Return `,"name":`, escaped as JSON."""
    return b"," + msgspec.json.encode(name) + b":"


def starts_list(raw: Raw) -> bool:
    return memoryview(raw)[0] == 0x5B


def starts_object(raw: Raw) -> bool:
    return memoryview(raw)[0] == 0x7B

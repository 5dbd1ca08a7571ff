"""The app's own messages: which of them are system messages, and what the policy makes of them.

Strategy: every message of a short list is looked at. A long one nearly always has its system
messages in front, or none, so it is walked only up to the last place where a role could be
`system` or `developer`, and the rest goes out as one piece; unless it holds escapes that a role
could hide behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from proxy.dialects.raw import Raw, list_inner, read_as, read_list
from proxy.errors import InvalidRequest, OverrideRejected
from proxy.versions.content import SystemRule

SYSTEM_ROLES = frozenset({"system", "developer"})

# Where walking in front becomes cheaper than looking at every message.
SHORT_BYTES = 8 * 1024

_NEEDLES = (b'"system"', b'"developer"')
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


class _Role(msgspec.Struct, gc=False):
    role: str = ""


class _Said(msgspec.Struct, gc=False):
    content: str | list[dict[str, msgspec.Raw]] | None = None


_ROLE = msgspec.json.Decoder(_Role)
_ROLES = msgspec.json.Decoder(list[_Role])
_SAID = msgspec.json.Decoder(_Said)


@dataclass(frozen=True, slots=True)
class Sorted:
    """A list of messages taken apart: `system` in order, and the bytes of all others, joined by
    commas, without the brackets."""

    system: tuple[Raw | memoryview, ...]
    others: tuple[bytes | memoryview, ...]


def sort_messages(raw: Raw) -> Sorted:
    """Find the system messages of a raw list. Raises `InvalidRequest` if it holds no objects."""
    view = memoryview(raw)
    if view[0] != 0x5B:
        raise InvalidRequest("a list of messages was expected")
    if len(view) <= SHORT_BYTES:
        return _sort_all(raw)
    text = bytes(view)
    if b"\\" in text and b"\\u00" in text:
        return _sort_all(raw)
    last = max(text.rfind(needle) for needle in _NEEDLES)
    return _sort_front(view, text, last) if last >= 0 else Sorted((), (list_inner(raw),))


def _sort_all(raw: Raw) -> Sorted:
    roles = read_as(_ROLES, raw, "every message must be an object")
    marks = [item.role in SYSTEM_ROLES for item in roles]
    if True not in marks:
        inner = list_inner(raw)
        return Sorted((), (inner,) if inner else ())
    system: list[Raw] = []
    others: list[Raw] = []
    for item, mark in zip(read_list(raw), marks, strict=True):
        (system if mark else others).append(item)
    return Sorted(tuple(system), (b",".join(others),) if others else ())


def _sort_front(view: memoryview, text: bytes, last: int) -> Sorted:
    """Walk message by message until the last place where a system role could stand."""
    system: list[memoryview] = []
    others: list[memoryview] = []
    start, end = _next_value(text, 1)
    while start < end:
        message = view[start:end]
        (system if _is_system(message) else others).append(message)
        if end > last:
            break
        start, end = _next_value(text, end)
    tail = view[_after_comma(text, end) : -1]
    return Sorted(tuple(system), _joined([*others, tail]))


def _next_value(text: bytes, position: int) -> tuple[int, int]:
    """Return start and end of the next object after `position`; equal at the end of the list."""
    start = _skip(text, position)
    if text[start] == 0x5D:
        return start, start
    if text[start] != 0x7B:
        raise InvalidRequest("every message must be an object")
    level = 0
    for token in _TOKEN.finditer(text, start):
        first = text[token.start()]
        if first == 0x22:
            continue
        level += 1 if first in b"[{" else -1
        if level == 0:
            return start, token.end()
    raise InvalidRequest("every message must be an object")


def _skip(text: bytes, position: int) -> int:
    while text[position] in b" \t\r\n,":
        position += 1
    return position


def _after_comma(text: bytes, position: int) -> int:
    return _skip(text, position)


def _joined(parts: list[memoryview]) -> tuple[bytes | memoryview, ...]:
    filled = [part for part in parts if len(part) and bytes(part[:64]).strip(b" \t\r\n")]
    pieces: list[bytes | memoryview] = []
    for part in filled:
        pieces += [b",", part] if pieces else [part]
    return tuple(pieces)


def _is_system(message: Raw | memoryview) -> bool:
    return read_as(_ROLE, message, "every message must be an object").role in SYSTEM_ROLES


def obey(rule: SystemRule, sent: bool) -> None:
    """Raise `OverrideRejected` if the app sent a system prompt of its own where it must not."""
    if sent and rule == "reject":
        raise OverrideRejected()


def texts_of(message: Raw | memoryview) -> list[str]:
    """Return the text parts of a system message. Raises `InvalidRequest` if it has other parts."""
    said = read_as(_SAID, message, "a system message must be text").content
    if said is None:
        return []
    if isinstance(said, str):
        return [said]
    return [_part_text(part) for part in said]


def _part_text(part: dict[str, msgspec.Raw]) -> str:
    text = part.get("text")
    if text is None:
        raise InvalidRequest("a system message must be text")
    return read_as(_TEXT, text, "a system message must be text")


_TEXT = msgspec.json.Decoder(str)

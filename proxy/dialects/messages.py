"""The app's own messages: which of them are system messages, and what the policy makes of them.

Strategy: one pass reads every role, without a copy. System messages nearly always stand in front,
if there are any; of a long list only those are then cut off and the rest goes out as one piece.
"""

from __future__ import annotations

import re

import msgspec

from proxy.dialects.raw import Buffer, Fields, Raw, list_inner, read_as, read_list, starts_list
from proxy.dialects.text import Template, template
from proxy.errors import InvalidRequest, OverrideRejected
from proxy.versions.content import Content, SystemRule

SYSTEM_ROLES = frozenset({"system", "developer"})

# From here on cutting off the front is cheaper than taking the whole list apart.
LONG_BYTES = 8 * 1024

# System messages larger than this in a long list are found by taking it apart after all.
FRONT_BYTES = 64 * 1024

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class _Role(msgspec.Struct, gc=False):
    role: str = ""


class _Said(msgspec.Struct, gc=False):
    content: str | list[dict[str, msgspec.Raw]] | None = None


_ROLES = msgspec.json.Decoder(list[_Role])
_SAID = msgspec.json.Decoder(_Said)


class Sorted(msgspec.Struct, frozen=True, gc=False):
    """A list of messages taken apart: `system` in order, and the bytes of all others, joined by
    commas, without the brackets."""

    system: tuple[Raw | memoryview, ...]
    others: tuple[bytes | memoryview, ...]


def sort_messages(raw: Raw) -> Sorted:
    """Find the system messages of a raw list. Raises `InvalidRequest` if it holds no objects."""
    if not starts_list(raw):
        raise InvalidRequest("a list of messages was expected")
    roles = read_as(_ROLES, raw, "every message must be an object")
    marks = [item.role in SYSTEM_ROLES for item in roles]
    if True not in marks:
        return Sorted((), (list_inner(raw),) if marks else ())
    count = marks.count(True)
    if len(raw) >= LONG_BYTES and all(marks[:count]) and count < len(marks):
        cut = _cut_front(memoryview(raw), count)
        if cut is not None:
            return cut
    return _sort_all(raw, marks)


def _sort_all(raw: Raw, marks: list[bool]) -> Sorted:
    system: list[Raw] = []
    others: list[Raw] = []
    for item, mark in zip(read_list(raw), marks, strict=True):
        (system if mark else others).append(item)
    return Sorted(tuple(system), (b",".join(others),) if others else ())


def _cut_front(view: memoryview, count: int) -> Sorted | None:
    """Cut `count` messages off the front; None if they reach beyond `FRONT_BYTES`."""
    text = bytes(view[:FRONT_BYTES])
    system: list[memoryview] = []
    end = 1
    for _ in range(count):
        start = text.find(b"{", end)
        end = _object_end(text, start)
        if end < 0:
            return None
        system.append(view[start:end])
    following = text.find(b"{", end)
    return Sorted(tuple(system), (view[following:-1],)) if following > 0 else None


def _object_end(text: bytes, start: int) -> int:
    """Return where the object that begins at `start` ends; -1 if not within `text`.

    A token that touches the end of `text` may have been cut, a string above all.
    """
    level = 0
    for token in _TOKEN.finditer(text, start):
        first = text[token.start()]
        if token.end() == len(text):
            return -1
        if first != 0x22:
            level += 1 if first in b"[{" else -1
            if level == 0:
                return token.end()
    return -1


def obey(rule: SystemRule, sent: bool) -> None:
    """Raise `OverrideRejected` if the app sent a system prompt of its own where it must not."""
    if sent and rule == "reject":
        raise OverrideRejected()


def few_shot(content: Content) -> Template:
    """Return the version's few-shot messages, joined by commas, without brackets."""
    parts: list[bytes | str] = []
    for message in content.messages:
        opening = b',{"role":"%b","content":"' % message.role.encode()
        parts += (opening if parts else opening[1:], message.content, b'"}')
    return template(*parts)


def following(head: bytes, others: tuple[Buffer, ...]) -> tuple[Buffer, ...]:
    """Return `others`, with a comma in front where something stands before them."""
    return (b",", *others) if head and others else others


def required(fields: Fields) -> Raw:
    """Return the list of messages. Raises `InvalidRequest` if there is none."""
    raw = fields.get("messages")
    if raw is None:
        raise InvalidRequest("messages are required")
    return raw


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

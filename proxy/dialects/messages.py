"""The app's messages and the version's: which of the app's are system messages, what the policy
makes of them, and in which order all of them go out.

Strategy: one pass reads every role, without a copy. System messages nearly always stand in front,
if there are any; of a long list only those are then cut off and the rest goes out as one piece.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import msgspec

from proxy.dialects.raw import (
    Buffer,
    Fields,
    Raw,
    is_null,
    list_inner,
    read_as,
    read_list,
    starts_list,
)
from proxy.dialects.text import Template, Values, template
from proxy.errors import InvalidRequest, OverrideRejected
from proxy.versions.content import Content, MessagesRule, SystemRule

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


_NOTHING = Raw(b"[]")
_ROLES = msgspec.json.Decoder(list[_Role])
_ROLE = attrgetter("role")
_SAID = msgspec.json.Decoder(_Said)


class Sorted(msgspec.Struct, frozen=True, gc=False):
    """A list of messages taken apart: `system` in order, and the bytes of all others, joined by
    commas, without the brackets."""

    system: tuple[Raw | memoryview, ...]
    others: tuple[bytes | memoryview, ...]


def sort_messages(raw: Raw) -> Sorted:
    """Find the system messages of a raw list. Raises `InvalidRequest` if it holds no objects."""
    if not starts_list(raw):
        raise InvalidRequest("messages must be a list")
    found = read_as(_ROLES, raw, "every message must be an object")
    roles = list(map(_ROLE, found))
    if SYSTEM_ROLES.isdisjoint(roles):
        return Sorted((), (list_inner(raw),) if roles else ())
    count = sum(map(roles.count, SYSTEM_ROLES))
    if not SYSTEM_ROLES.issuperset(roles[:count]):
        return _sort_all(raw, roles)
    if len(raw) >= LONG_BYTES and count < len(roles):
        cut = _cut_front(memoryview(raw), count)
        if cut is not None:
            return cut
    items = read_list(raw)
    return Sorted(tuple(items[:count]), (b",".join(items[count:]),) if count < len(roles) else ())


def _sort_all(raw: Raw, roles: Sequence[str]) -> Sorted:
    system: list[Raw] = []
    others: list[Raw] = []
    for item, role in zip(read_list(raw), roles, strict=True):
        (system if role in SYSTEM_ROLES else others).append(item)
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
        raise OverrideRejected(hint="a system prompt")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a dialect writes a message around its escaped text: `opening` has a place for the role.
    `assistant` is what the role is called that is not the user's."""

    opening: bytes = b'{"role":"%b","content":"'
    closing: bytes = b'"}'
    assistant: bytes = b"assistant"

    def begin(self, role: str) -> bytes:
        return self.opening % (self.assistant if role == "assistant" else role.encode())


USUAL = Spelling()


def few_shot(content: Content, spelling: Spelling = USUAL) -> Template:
    """Return the version's few-shot messages, joined by commas, without brackets."""
    parts: list[bytes | str] = []
    for message in content.messages:
        opening = spelling.begin(message.role)
        parts += (b"," + opening if parts else opening, message.content, spelling.closing)
    return template(*parts)


@dataclass(frozen=True, slots=True)
class OwnMessages:
    """What a version says among the messages: few-shot ones, and the user's message that is made of
    variables. `user` is the text of that one, `rule` where the app's messages go then.

    `has_user` says that an app may leave its own messages out, `is_silent` that there is nothing.
    """

    few_shot: Template
    user: Template
    rule: MessagesRule
    spelling: Spelling
    has_user: bool
    is_silent: bool

    @classmethod
    def of(cls, content: Content, spelling: Spelling = USUAL) -> OwnMessages:
        shots, has_user = few_shot(content, spelling), bool(content.user)
        silent = shots.is_empty and not has_user
        rule = content.policy.messages
        return cls(shots, template(content.user), rule, spelling, has_user, silent)

    def arrange(
        self,
        values: Values,
        theirs: tuple[Buffer, ...],
        head: bytes = b"",
        *,
        continues: bool = False,
    ) -> tuple[Buffer, ...]:
        """Return the list of messages without brackets: `head`, which is a message or nothing, ours
        and `theirs`.

        `continues` says that the vendor holds the beginning of the conversation: few-shot messages
        do not go out again, nor does the user's message where what the app says follows it.

        Raises `OverrideRejected`, and `InvalidRequest` if nobody says anything.
        """
        if self.is_silent:
            return (head, *following(head, theirs))
        shots = b"" if continues else self.few_shot.fill(values)
        if not self.has_user:
            head = _joined(head, shots)
            return (head, *following(head, theirs))
        user = self._user(values, bool(theirs), continues)
        if self.rule != "prepend":
            head = _joined(head, shots, user)
            return (head, *following(head, theirs))
        head = _joined(head, shots)
        before: tuple[Buffer, ...] = (head, *following(head, theirs)) if head or theirs else ()
        return (*before, b"," * bool(before and user) + user)

    def _user(self, values: Values, is_said: bool, continues: bool) -> bytes:
        text = self.user.fill(values)
        if is_said and self.rule == "reject":
            raise OverrideRejected(hint="the version makes the user's message")
        if not is_said and not text:
            raise InvalidRequest("a message of the user is required")
        if not text or (is_said and continues and self.rule == "append"):
            return b""
        return b"%b%b%b" % (self.spelling.begin("user"), text, self.spelling.closing)


def _joined(*messages: bytes) -> bytes:
    return b",".join(filter(None, messages))


def following(head: bytes, others: tuple[Buffer, ...]) -> tuple[Buffer, ...]:
    """Return `others`, with a comma in front where something stands before them."""
    return (b",", *others) if head and others else others


def said(fields: Fields, *, optional: bool = False) -> Raw:
    """Return the list of messages; an empty one where it is `optional` and not sent. Raises
    `InvalidRequest` if there is none."""
    raw = fields.get("messages")
    if raw is None or (optional and is_null(raw)):
        if not optional:
            raise InvalidRequest("messages are required")
        return _NOTHING
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

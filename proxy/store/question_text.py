"""The text of what the fleet is asked: one value, so that a watcher reads it with the pins.

A JSON array of `{"id", "kind", "body", "at_ms"}`, the newest last; `lua/ask.lua` writes it. A body
is JSON in a string: Lua would make an object of an empty list. People may have written anything
else there, and a watch must not suffer from it: what cannot be read asks nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proxy.errors import InvalidArgument
from proxy.store.base import MAX_QUESTION_BYTES, MOST_QUESTIONS
from proxy.store.records import UNREADABLE, encode
from proxy.store.rules import check_operation, check_text, is_operation
from proxy.versions.record import Question

# Every watcher reads it at each poll. A question is a tenth of it as a rule, and never more than
# a half: so it is the oldest that has to go.
MAX_TEXT_BYTES = 2**20


class _Asked(msgspec.Struct, frozen=True):
    id: str
    kind: str
    body: str


def encode_body(question: Question) -> str:
    """Return the text of the body. Raises `InvalidArgument` for a question that cannot be put."""
    check_operation(question.id)
    check_text(question.kind)
    try:
        body = encode(question.body)
    except UnicodeEncodeError:
        raise InvalidArgument("text must be valid Unicode") from None
    if len(question.kind.encode()) + len(body.encode()) > MAX_QUESTION_BYTES:
        raise InvalidArgument(f"a question may have {MAX_QUESTION_BYTES} bytes at most")
    return body


def decode(text: bytes | None) -> tuple[Question, ...]:
    """Return the questions that can be read; of too many, the newest."""
    if text is None or len(text) > MAX_TEXT_BYTES:
        return ()
    try:
        asked = msgspec.json.decode(text, type=list[_Asked])
    except UNREADABLE:
        return ()
    found = (question(one.id, one.kind, one.body) for one in asked[-MOST_QUESTIONS:])
    return tuple(one for one in found if one is not None)


def question(id: str, kind: str, body: str) -> Question | None:
    """Make a question of what is kept; None if nobody could have asked it, or answer."""
    if not is_operation(id) or len(body) > MAX_QUESTION_BYTES:
        return None
    try:
        return Question(id, kind, msgspec.json.decode(body, type=dict[str, Any]))
    except UNREADABLE:
        return None

"""The system prompt and the few-shot messages, in the shapes of Gemini's API."""

from __future__ import annotations

from proxy.dialects.messages import OwnMessages, Spelling
from proxy.dialects.raw import (
    Buffer,
    Fields,
    Raw,
    is_null,
    key_bytes,
    list_inner,
    read_nested,
    starts_list,
    starts_object,
)
from proxy.dialects.text import Values
from proxy.errors import InvalidRequest

FIELD = "systemInstruction"

SPELLING = Spelling(b'{"role":"%b","parts":[{"text":"', b'"}]}', b"model")


def sent_system(fields: Fields) -> Raw | None:
    """Return the app's system prompt, None if it sent none. Raises `InvalidRequest` if it is no
    object."""
    raw = fields.get(FIELD)
    if raw is None or is_null(raw):
        return None
    if not starts_object(raw):
        raise InvalidRequest(f"{FIELD} must be an object")
    return raw


def with_system(text: bytes, theirs: Raw | None) -> bytes:
    """Return `,"systemInstruction":…`, or nothing. `text` is the version's, escaped; `theirs` the
    app's, if it is kept: its parts come behind."""
    if theirs is not None and not text:
        return key_bytes(FIELD) + bytes(theirs)
    if not text:
        return b""
    ours = b'%b{"parts":[{"text":"%b"}' % (key_bytes(FIELD), text)
    if theirs is None:
        return ours + b"]}"
    members = read_nested(theirs, FIELD)
    inner = b"".join(map(bytes, repeated(members.get("parts"), f"{FIELD}.parts")))
    rest = (key_bytes(n) + bytes(raw) for n, raw in members.items() if n != "parts")
    return b"%b%b]%b}" % (ours, b"," + inner if inner else b"", b"".join(rest))


def repeated(raw: Raw | None, name: str) -> tuple[Buffer, ...]:
    """Return what is inside of a list; Google's APIs take a single object for a list of one.

    Raises `InvalidRequest` for anything else. Nothing is returned for nothing.
    """
    if raw is None or is_null(raw):
        return ()
    if starts_object(raw):
        return (memoryview(raw),)
    if not starts_list(raw):
        raise InvalidRequest(f"{name} must be a list")
    inner = list_inner(raw)
    return (inner,) if inner else ()


def contents(fields: Fields, own: OwnMessages, values: Values) -> tuple[Buffer, ...]:
    """Return `"contents":…`: the version's messages, and what the app says, as it is spelled.

    Raises `OverrideRejected`, and `InvalidRequest` if nobody says anything.
    """
    raw = fields.get("contents")
    if (raw is None or is_null(raw)) and not own.has_user:
        raise InvalidRequest("contents are required")
    theirs = repeated(raw, "contents")
    if raw is not None and own.few_shot.is_empty and not own.has_user:
        return b'"contents":', memoryview(raw)
    return b'"contents":[', *own.arrange(values, theirs), b"]"

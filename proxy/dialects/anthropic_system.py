"""The one leading system prompt of the Messages API: a text, or a list of blocks.

What an app has of its own is its `system`, and messages of role `system` further on. Where they are
kept, its blocks come behind the version's as they are, cache breakpoints included, and the messages
stay in their places: vendors bind what they answered to all that was said before.
"""

from __future__ import annotations

from proxy.dialects.raw import Raw, is_null, list_inner, starts_list
from proxy.errors import InvalidRequest

_EMPTY = b'""'


def sent_system(raw: Raw | None) -> Raw | None:
    """Return the app's `system`, None if it sent none. Raises `InvalidRequest` for what is neither
    a text nor a list."""
    if raw is None or is_null(raw):
        return None
    if not starts_list(raw) and memoryview(raw)[0] != 0x22:
        raise InvalidRequest("system must be a string or a list")
    return raw


def leading(text: bytes, theirs: Raw | None, mark: bytes) -> bytes:
    """Return `,"system":…`, or nothing. `text` is the version's, escaped; `theirs` the app's, if it
    is kept; `mark` the version's cache breakpoint."""
    if not text:
        return b"" if theirs is None else b',"system":%b' % bytes(theirs)
    blocks = _blocks(theirs)
    if not blocks and not mark:
        return b',"system":"%b"' % text
    ours = b'{"type":"text","text":"%b"%b}' % (text, mark)
    return b',"system":[%b]' % b",".join((ours, *blocks))


def _blocks(theirs: Raw | None) -> tuple[bytes, ...]:
    """Return the app's blocks, joined; the vendor refuses a block of no text."""
    if theirs is None or bytes(theirs) == _EMPTY:
        return ()
    if not starts_list(theirs):
        return (b'{"type":"text","text":%b}' % bytes(theirs),)
    inner = bytes(list_inner(theirs))
    return (inner,) if inner else ()

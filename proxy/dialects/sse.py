"""Watch a server-sent event stream go by, without touching it.

Strategy: what is worth knowing (usage, finish reason, end marker) stands in the last few events
of a stream, so only the end is kept and looked at, once, when the stream is over. A piece that
ends with a blank line closes a group of whole events; groups are kept by reference, newest last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

# The last three events of a chat stream (finish, usage, end marker) take a few hundred bytes each.
KEPT_BYTES = 4 * 1024
# One event of the Responses dialect repeats the whole answer. Past this we stop looking: what we
# hold is memory that a vendor could make us spend.
MAX_EVENT_BYTES = 1024 * 1024


class Tail:
    """Keeps the newest whole events of a stream, about `KEPT_BYTES` of them, at least one group."""

    def __init__(self) -> None:
        self._groups: deque[bytes] = deque()
        self._size = 0
        self._open: list[bytes] = []
        self._open_size = 0

    @property
    def between_events(self) -> bool:
        return not self._open

    def feed(self, chunk: bytes) -> None:
        if self._open or not chunk.endswith((b"\n\n", b"\r\n\r\n")):
            whole = self._close(chunk)
            if whole is None:
                return
            chunk = whole
        self._groups.append(chunk)
        self._size += len(chunk)
        while self._size > KEPT_BYTES and len(self._groups) > 1:
            self._size -= len(self._groups.popleft())

    def _close(self, chunk: bytes) -> bytes | None:
        """Add to the group that is still open; return it when `chunk` completes it."""
        self._open.append(chunk)
        self._open_size += len(chunk)
        if self._open_size > MAX_EVENT_BYTES:
            self._open, self._open_size = [chunk[-4:]], len(chunk[-4:])
            return None
        if not b"".join(part[-3:] for part in self._open[-4:]).endswith((b"\n\n", b"\n\r\n")):
            return None
        whole = b"".join(self._open)
        self._open, self._open_size = [], 0
        return whole

    def data(self) -> Iterator[bytes]:
        """Yield the data of the events that were kept, oldest first; several lines are joined.

        The first group may have lost its beginning; a torn event is for the reader to skip.
        """
        text = b"".join((*self._groups, *self._open)).replace(b"\r\n", b"\n")
        for event in text.split(b"\n\n"):
            lines = [
                line[5:].removeprefix(b" ") for line in event.split(b"\n") if line[:5] == b"data:"
            ]
            if lines:
                yield b"\n".join(lines)


class Document:
    """Keeps a whole answer that is no stream, up to a limit."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def between_events(self) -> bool:
        return False

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= MAX_EVENT_BYTES:
            self._parts.append(chunk)
        else:
            self._parts.clear()

    def whole(self) -> bytes:
        """Return the answer, empty if it was larger than the limit."""
        return b"".join(self._parts) if self._size <= MAX_EVENT_BYTES else b""

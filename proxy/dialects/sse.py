"""Watch a server-sent event stream go by, without touching it.

Strategy: what is worth knowing (usage, finish reason, end marker) stands in the last few events
of a stream, so only the end is kept and looked at, once, when the stream is over. A piece that
ends with a blank line closes a group of whole events; groups are kept by reference, newest last.
What is looked at in the end depends on the stream alone, not on how the network cut it.
"""

from __future__ import annotations

from collections.abc import Iterator

# The last three events of a chat stream (finish, usage, end marker) take a few hundred bytes each.
KEPT_BYTES = 4 * 1024
# One event of the Responses dialect repeats the whole answer. Past this we stop looking: what we
# hold is memory that a vendor could make us spend.
MAX_EVENT_BYTES = 1024 * 1024

# As numbers they are found ten times as fast as bytes are.
_LF, _CR = b"\n\r"


def _boundary(text: bytes, end: int) -> int:
    """Return where the last event that ends within `text[:end]` ends; 0 if none does."""
    if _LF not in text:
        return 0
    found = text.rfind(b"\n\n", 0, end) + 2
    return max(0 if found == 1 else found, _crlf_boundary(text, end) if _CR in text else 0)


def _crlf_boundary(text: bytes, end: int) -> int:
    found = text.rfind(b"\n\r\n", 0, end) + 3
    return 0 if found == 2 else found


def _last_events(text: bytes) -> bytes:
    """Return the last events of `text`, as few as come to `KEPT_BYTES`; all if they do not."""
    spare = len(text) - KEPT_BYTES
    return text[_boundary(text, spare) :] if spare > 0 else text


class Tail:
    """Keeps the newest whole events of a stream, `KEPT_BYTES` of them or a little more, and the
    event that is still coming."""

    def __init__(self) -> None:
        self._groups: list[bytes] = []
        self._size = 0
        self._open = bytearray()

    @property
    def between_events(self) -> bool:
        return not self._open

    def feed(self, chunk: bytes) -> None:
        if self._open or not chunk.endswith((b"\n\n", b"\r\n\r\n")):
            chunk = self._close(chunk)
            if not chunk:
                return
        self._groups.append(chunk)
        self._size += len(chunk)
        if self._size > 2 * KEPT_BYTES:
            self._trim()

    def _trim(self) -> None:
        newest = self._groups[-1]
        kept = _last_events(newest if len(newest) >= KEPT_BYTES else b"".join(self._groups))
        self._groups, self._size = [kept], len(kept)

    def _close(self, chunk: bytes) -> bytes:
        """Add to the event that is open. Return the events that are whole now, often none."""
        end = _boundary(chunk, len(chunk)) or self._seam(chunk)
        if not end:
            self._open += chunk
            if len(self._open) > MAX_EVENT_BYTES:
                self._forget()
            return b""
        begin = _boundary(chunk, end - KEPT_BYTES) if end > KEPT_BYTES else 0
        whole = chunk[begin:end] if begin else bytes(self._open) + chunk[:end]
        self._open = bytearray(chunk[end:])
        return whole

    def _seam(self, chunk: bytes) -> int:
        """Return where in `chunk` a blank line ends that began before it; 0 if none does."""
        before = bytes(self._open[-2:])
        return max(0, _boundary(before + chunk[:2], len(before) + 2) - len(before))

    def _forget(self) -> None:
        """Lose sight of an event that is too large, and of what is before it: too far back.

        A colon makes a comment of what is left; the last bytes may begin a blank line.
        """
        self._open = bytearray(b":" + self._open[-2:])
        self._groups.clear()
        self._size = 0

    def data(self) -> Iterator[bytes]:
        """Yield the data of the events that were kept, oldest first; several lines are joined."""
        text = _last_events(b"".join((*self._groups, self._open))).replace(b"\r\n", b"\n")
        for event in text.split(b"\n\n"):
            lines = [
                line[5:].removeprefix(b" ") for line in event.split(b"\n") if line[:5] == b"data:"
            ]
            if lines and len(event) <= MAX_EVENT_BYTES:
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

    @property
    def lost_sight(self) -> bool:
        return self._size > MAX_EVENT_BYTES

    def whole(self) -> bytes:
        """Return the answer, empty if it was larger than the limit."""
        return b"".join(self._parts) if not self.lost_sight else b""

"""What an answer of the Messages API tells about itself.

A stream names the served model and the input's tokens in its first event, all else in its last
ones, so the beginning is looked at as it goes by.
"""

from __future__ import annotations

import msgspec

from proxy.dialects.base import Seen
from proxy.dialects.sse import Document, Tail
from proxy.dialects.told import told

# The first event has no text yet: a few hundred bytes. What begins otherwise is not looked at.
MOST_HEAD_BYTES = 16 * 1024

_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
)


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Message(msgspec.Struct, gc=False):
    type: str = ""
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Delta(msgspec.Struct, gc=False):
    stop_reason: str | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None


_MESSAGE = msgspec.json.Decoder(_Message)
_EVENT = msgspec.json.Decoder(_Event)


def _add(known: _Usage, more: _Usage | None) -> None:
    """Take the counts of an event; they are cumulative, and not all are in each."""
    for name in _COUNTS:
        value = getattr(more, name, None)
        if value is not None:
            setattr(known, name, value)


def _counted(seen: Seen, usage: _Usage) -> None:
    """Count what was read from the vendor's cache or written to it as input too, as it is in other
    dialects: here `input_tokens` is what is beside them."""
    seen.output_tokens, seen.cached_tokens = usage.output_tokens, usage.cache_read_input_tokens
    if usage.input_tokens is not None:
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        seen.input_tokens = usage.input_tokens + cached


class MessagesStream(Tail):
    def __init__(self) -> None:
        super().__init__()
        self._head: bytearray | None = bytearray()
        self._seen = Seen()
        self._usage = _Usage()

    def feed(self, chunk: bytes) -> None:
        if self._head is not None:
            self._look(self._head, chunk)
        super().feed(chunk)

    def _look(self, head: bytearray, chunk: bytes) -> None:
        """Look for the first event until it is there, or cannot come any more."""
        head += chunk
        text = bytes(head).replace(b"\r\n", b"\n")
        if b"message_start" in text and b"\n\n" in text[text.index(b"message_start") :]:
            for line in text.split(b"\n"):
                if line[:5] == b"data:" and b"message_start" in line:
                    self._take(line[5:])
                    break
            self._head = None
        elif len(head) > MOST_HEAD_BYTES:
            self._head = None

    def finish(self) -> Seen:
        for text in self.data():
            self._take(text)
        _counted(self._seen, self._usage)
        return self._seen

    def _take(self, text: bytes) -> None:
        event = told(_EVENT, text)
        if event is None:
            return
        seen = self._seen
        _add(self._usage, event.usage)
        if event.message is not None:
            seen.served_model = event.message.model or seen.served_model
            _add(self._usage, event.message.usage)
        if event.delta is not None:
            seen.finish_reason = event.delta.stop_reason or seen.finish_reason
        seen.ended = seen.ended or event.type == "message_stop"
        if event.type == "error":
            seen.ended = seen.failed = True


class MessagesDocument(Document):
    def finish(self) -> Seen:
        seen = Seen(lost_sight=self.lost_sight)
        message = told(_MESSAGE, self.whole())
        if message is None:
            return seen
        seen.served_model, seen.finish_reason = message.model, message.stop_reason
        _counted(seen, message.usage or _Usage())
        seen.failed = message.type == "error"
        seen.ended = True
        return seen

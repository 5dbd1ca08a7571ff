"""An answer of Anthropic's Messages dialect, as cases expect something of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from proxy.evals.answer import Answer, ToolCall, unreadable


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None

    @property
    def whole_input(self) -> int | None:
        """What came from the vendor's cache or went there is input too, as in other dialects."""
        if self.input_tokens is None:
            return None
        cached = (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)
        return self.input_tokens + cached


class _Message(msgspec.Struct):
    content: list[dict[str, Any]]
    stop_reason: str | None = None
    usage: _Usage | None = None


def read_messages(body: bytes) -> Answer:
    """Read a message: its texts, in order, and its tool calls. `finish_reason` is the vendor's
    `stop_reason`. What is none is an answer with an error."""
    try:
        read = msgspec.json.decode(body, type=_Message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unreadable()
    usage = read.usage or _Usage()
    texts = (part.get("text") for part in read.content if part.get("type") == "text")
    calls = (part for part in read.content if part.get("type") == "tool_use")
    return Answer(
        "".join(text for text in texts if isinstance(text, str)),
        tuple(
            ToolCall(str(call.get("name", "")), json.dumps(call.get("input"), ensure_ascii=False))
            for call in calls
        ),
        read.stop_reason or "",
        usage.whole_input,
        usage.output_tokens,
    )

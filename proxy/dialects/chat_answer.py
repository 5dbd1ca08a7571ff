"""What an answer in the chat dialect tells about itself."""

from __future__ import annotations

import msgspec

from proxy.dialects.base import Seen
from proxy.dialects.raw import NULL, is_null
from proxy.dialects.sse import Document, Tail
from proxy.dialects.told import told

END = b"[DONE]"


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None


class _Groq(msgspec.Struct, gc=False):
    """Where Groq has the usage of a stream."""

    usage: _Usage | None = None


class _Answer(msgspec.Struct, gc=False):
    model: str | None = None
    usage: _Usage | None = None
    x_groq: _Groq | None = None
    choices: list[_Choice] = []
    error: msgspec.Raw = NULL


_ANSWER = msgspec.json.Decoder(_Answer)


def learn(seen: Seen, text: bytes) -> bool:
    """Take what one document or chunk tells. Return whether it was one."""
    answer = told(_ANSWER, text)
    if answer is None:
        return False
    seen.served_model = answer.model or seen.served_model
    seen.failed = seen.failed or not is_null(answer.error)
    for choice in answer.choices:
        seen.finish_reason = choice.finish_reason or seen.finish_reason
    usage = answer.usage or (answer.x_groq and answer.x_groq.usage)
    if usage:
        _count(seen, usage)
    return True


def _count(seen: Seen, usage: _Usage) -> None:
    seen.input_tokens = usage.prompt_tokens
    seen.output_tokens = usage.completion_tokens
    if usage.prompt_tokens_details is not None:
        seen.cached_tokens = usage.prompt_tokens_details.cached_tokens


class ChatStream(Tail):
    def finish(self) -> Seen:
        seen = Seen()
        for text in self.data():
            if text.strip() == END:
                seen.ended = True
            else:
                learn(seen, text)
        return seen


class ChatDocument(Document):
    def finish(self) -> Seen:
        seen = Seen(lost_sight=self.lost_sight)
        seen.ended = learn(seen, self.whole())
        return seen

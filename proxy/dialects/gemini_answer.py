"""What an answer of Gemini's API tells about itself.

Every chunk of a stream is a whole answer with what was added; the last one says why it ended, and
counts. There is no end marker: an answer that has no reason to end has not ended.
"""

from __future__ import annotations

import msgspec

from proxy.dialects.base import Seen
from proxy.dialects.sse import Document, Tail
from proxy.dialects.told import told


class _There(msgspec.Struct, gc=False):
    """An object of which only matters that it is there."""


class _Candidate(msgspec.Struct, gc=False):
    finish_reason: str | None = msgspec.field(default=None, name="finishReason")


class _Usage(msgspec.Struct, gc=False, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None


class _Feedback(msgspec.Struct, gc=False):
    block_reason: str | None = msgspec.field(default=None, name="blockReason")


class _Answer(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Usage | None = None
    prompt_feedback: _Feedback | None = None
    model_version: str | None = None
    error: _There | None = None


class _Embedded(msgspec.Struct, gc=False, rename="camel"):
    usage_metadata: _Usage | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_ANSWERS = msgspec.json.Decoder(_Answer | list[_Answer])
_EMBEDDED = msgspec.json.Decoder(_Embedded)


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _counted(seen: Seen, usage: _Usage) -> None:
    """Take the counts of a chunk; they are of all that came so far. Thoughts are output, and what
    tools put into the prompt is input."""
    told = _sum(usage.prompt_token_count, usage.tool_use_prompt_token_count)
    made = _sum(usage.candidates_token_count, usage.thoughts_token_count)
    seen.input_tokens = seen.input_tokens if told is None else told
    seen.output_tokens = seen.output_tokens if made is None else made
    if usage.cached_content_token_count is not None:
        seen.cached_tokens = usage.cached_content_token_count


def _learn(seen: Seen, answer: _Answer) -> None:
    seen.served_model = answer.model_version or seen.served_model
    if answer.usage_metadata is not None:
        _counted(seen, answer.usage_metadata)
    reasons = [one.finish_reason for one in answer.candidates or () if one.finish_reason]
    if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason:
        reasons.append(answer.prompt_feedback.block_reason)
    if reasons:
        seen.finish_reason, seen.ended = reasons[0], True
    if answer.error is not None:
        seen.ended = seen.failed = True


class GenerateStream(Tail):
    def finish(self) -> Seen:
        seen = Seen()
        for text in self.data():
            answer = told(_ANSWER, text)
            if answer is not None:
                _learn(seen, answer)
        return seen


class GenerateDocument(Document):
    """An answer, or all chunks of one in a list: a stream that was not asked for as events."""

    def finish(self) -> Seen:
        seen = Seen(lost_sight=self.lost_sight)
        found = told(_ANSWERS, self.whole())
        if found is None:
            return seen
        for answer in found if isinstance(found, list) else (found,):
            _learn(seen, answer)
        # A whole document is a whole answer, whatever became of it; a list may have been cut.
        seen.ended = seen.ended or not isinstance(found, list)
        return seen


class EmbeddingDocument(Document):
    def finish(self) -> Seen:
        seen = Seen(lost_sight=self.lost_sight)
        found = told(_EMBEDDED, self.whole())
        if found is None:
            return seen
        if found.usage_metadata is not None:
            _counted(seen, found.usage_metadata)
        # What is whole has ended, a refusal too.
        seen.ended = True
        return seen

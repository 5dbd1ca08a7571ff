"""An answer of Gemini's API, as cases expect something of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.evals.answer import Answer, ToolCall, unreadable


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class _Content(msgspec.Struct):
    parts: list[dict[str, Any]] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Generated(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None


def read_gemini(body: bytes) -> Answer:
    """Read the first candidate: its texts but for thoughts, and its function calls. A prompt that
    was blocked is an answer without text; what is neither is an answer with an error."""
    try:
        read = msgspec.json.decode(body, type=_Generated)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unreadable()
    blocked = read.prompt_feedback.block_reason if read.prompt_feedback is not None else None
    if not read.candidates and not blocked:
        return unreadable()
    first = read.candidates[0] if read.candidates else _Candidate(finish_reason=blocked)
    parts = (first.content.parts if first.content is not None else None) or []
    usage = read.usage_metadata or _Usage()
    texts = (one.get("text") for one in parts if not one.get("thought"))
    return Answer(
        "".join(text for text in texts if isinstance(text, str)),
        tuple(_calls(parts)),
        first.finish_reason or "",
        _sum(usage.prompt_token_count, usage.tool_use_prompt_token_count),
        _sum(usage.candidates_token_count, usage.thoughts_token_count),
    )


def _calls(parts: list[dict[str, Any]]) -> Iterator[ToolCall]:
    for part in parts:
        call = part.get("functionCall")
        if isinstance(call, dict):
            arguments = json.dumps(call.get("args", {}), ensure_ascii=False)
            yield ToolCall(str(call.get("name", "")), arguments)


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None

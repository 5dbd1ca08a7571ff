"""What came back for a case: the parts of an answer that can be expected something of."""

from __future__ import annotations

from typing import Any

import msgspec

UNREADABLE = "unreadable_answer"


class ToolCall(msgspec.Struct, frozen=True):
    """`arguments` is the text that the vendor gave, JSON as a rule."""

    name: str
    arguments: str


class Answer(msgspec.Struct, frozen=True):
    """One answer. Tokens are None where the vendor did not count. `error` is the code of what kept
    it from coming; the rest is empty then."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: float = 0.0
    error: str = ""


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _Function = msgspec.field(default_factory=_Function)


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _ChatUsage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chat(msgspec.Struct):
    choices: list[_Choice]
    usage: _ChatUsage | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Incomplete(msgspec.Struct):
    reason: str = ""


class _Response(msgspec.Struct):
    output: list[dict[str, Any]]
    status: str = ""
    usage: _Usage | None = None
    incomplete_details: _Incomplete | None = None


def read_chat(body: bytes) -> Answer:
    """Read a chat completion: its first choice. What is none is an answer with an error."""
    try:
        read = msgspec.json.decode(body, type=_Chat)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unreadable()
    if not read.choices:
        return unreadable()
    choice, usage = read.choices[0], read.usage or _ChatUsage()
    calls = choice.message.tool_calls or []
    return Answer(
        choice.message.content or choice.message.refusal or "",
        tuple(ToolCall(call.function.name, call.function.arguments) for call in calls),
        choice.finish_reason or "",
        usage.prompt_tokens,
        usage.completion_tokens,
    )


def read_responses(body: bytes) -> Answer:
    """Read an answer of the Responses dialect; `finish_reason` is its status, or why it is
    incomplete."""
    try:
        read = msgspec.json.decode(body, type=_Response)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unreadable()
    usage = read.usage or _Usage()
    calls = (item for item in read.output if item.get("type") == "function_call")
    reason = read.incomplete_details.reason if read.incomplete_details else ""
    return Answer(
        "".join(_texts(read.output)),
        tuple(ToolCall(str(c.get("name", "")), str(c.get("arguments", ""))) for c in calls),
        reason or read.status,
        usage.input_tokens,
        usage.output_tokens,
    )


def _texts(output: list[dict[str, Any]]) -> list[str]:
    parts = (
        part
        for item in output
        if item.get("type") == "message" and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict)
    )
    texts = (part.get("text") or part.get("refusal") for part in parts)
    return [text for text in texts if isinstance(text, str)]


def unreadable() -> Answer:
    return Answer("", (), "", None, None, error=UNREADABLE)

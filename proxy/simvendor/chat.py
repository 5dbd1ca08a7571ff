"""Chat Completions: a request's body to the vendor's answer, whole or as a stream of chunks.

Events carry no name. The first chunk of a choice holds the role, the last its finish reason; a
chunk with the usage and no choices comes only when `stream_options.include_usage` asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from proxy.simvendor.answer import CREATED, STREAM, Answer, padding, whole
from proxy.simvendor.asked import (
    Asked,
    Call,
    Tool,
    calls,
    compact,
    pieces,
    seed_of,
    settings_of,
    snapshot,
    text,
    text_of,
    words,
)
from proxy.simvendor.wrong import SERVER_ERROR

Json = Mapping[str, Any]

SYSTEM_ROLES = ("system", "developer")
DONE = b"data: [DONE]\n\n"
MAX_CHOICES = 128


def asked(body: Json, raw: bytes) -> Asked:
    """Read a checked body; `raw` is its bytes."""
    messages = body["messages"]
    turns = [message for message in messages if message["role"] not in SYSTEM_ROLES]
    users = [message for message in turns if message["role"] == "user"]
    last = turns[-1] if turns else {}
    return Asked(
        seed=seed_of(raw),
        model=body["model"],
        settings=settings_of(body),
        system=[text_of(m.get("content")) for m in messages if m["role"] in SYSTEM_ROLES],
        earlier=max(len(turns) - 1, 0),
        question=text_of(users[-1].get("content")) if users else "",
        result=text_of(last.get("content")) if last.get("role") == "tool" else None,
        tools=_tools(body.get("tools")),
        choice=body.get("tool_choice"),
        schema=_schema(body.get("response_format")),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        input_tokens=words(text_of(message.get("content")) for message in messages),
    )


def answer(body: Json, question: Asked) -> Answer:
    """Return the tidy answer to a checked body."""
    choices = [_choice(question, number) for number in range(_count(body))]
    if not body.get("stream"):
        return whole(_completion(question, choices))
    options = body.get("stream_options") or {}
    events = [_event(chunk) for chunk in _chunks(question, choices, options)]
    return Answer(STREAM, [*events, DONE], _failure())


def _tools(given: Any) -> list[Tool]:
    functions = [tool.get("function") for tool in given or () if isinstance(tool, dict)]
    return [
        Tool(str(function.get("name")), function.get("parameters") or {})
        for function in functions
        if isinstance(function, dict)
    ]


def _schema(response_format: Any) -> Json | None:
    if not isinstance(response_format, dict) or response_format.get("type") in (None, "text"):
        return None
    described = response_format.get("json_schema") or {}
    return described.get("schema") or {"properties": {"answer": {"type": "string"}}}


def _count(body: Json) -> int:
    wanted = body.get("n")
    return min(wanted, MAX_CHOICES) if isinstance(wanted, int) and wanted > 0 else 1


def _choice(question: Asked, number: int) -> tuple[list[str], list[Call], str]:
    """Return one choice: its tokens or its tool calls, and why it ends."""
    if made := calls(question):
        return [], made, "tool_calls"
    plain = text(question) + (f" (choice {number + 1})" if number else "")
    tokens, cut = pieces(question, plain)
    return tokens, [], "length" if cut else "stop"


Choice = tuple[list[str], list[Call], str]


def _completion(question: Asked, choices: list[Choice]) -> Json:
    return {
        **_head(question, "chat.completion"),
        "choices": [
            {
                "index": index,
                "message": _message(tokens, made),
                "logprobs": None,
                "finish_reason": reason,
            }
            for index, (tokens, made, reason) in enumerate(choices)
        ],
        "usage": _usage(question, choices),
        **_tail(question),
    }


def _head(question: Asked, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{question.seed}",
        "object": kind,
        "created": CREATED,
        "model": snapshot(question.model),
    }


def _tail(question: Asked) -> dict[str, Any]:
    return {"service_tier": "default", "system_fingerprint": f"fp_{question.seed[:10]}"}


def _message(tokens: list[str], made: list[Call]) -> dict[str, Any]:
    content = None if made else "".join(tokens)
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    message["annotations"] = []
    return {**message, "tool_calls": [_called(call) for call in made]} if made else message


def _called(call: Call) -> dict[str, Any]:
    function = {"name": call.tool, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _usage(question: Asked, choices: list[Choice]) -> dict[str, Any]:
    made = sum(len(tokens) + sum(words([c.arguments]) for c in cs) for tokens, cs, _ in choices)
    return {
        "prompt_tokens": question.input_tokens,
        "completion_tokens": made,
        "total_tokens": question.input_tokens + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunks(question: Asked, choices: list[Choice], options: Json) -> Iterator[Json]:
    """Yield the chunks in order; those of several choices take turns."""
    head = {**_head(question, "chat.completion.chunk"), **_tail(question)}
    usage = {"usage": None} if options.get("include_usage") else {}
    hidden = options.get("include_obfuscation", True)
    rows = [list(_deltas(index, choice)) for index, choice in enumerate(choices)]
    for turn in zip_longest(*rows):
        for choice in filter(None, turn):
            content = choice["delta"].get("content")
            pad = {"obfuscation": padding(content)} if hidden and content else {}
            yield {**head, "choices": [choice], **usage, **pad}
    if usage:
        yield {**head, "choices": [], "usage": _usage(question, choices)}


def _deltas(index: int, choice: Choice) -> Iterator[dict[str, Any]]:
    tokens, made, reason = choice
    first = {"role": "assistant", "content": None if made else "", "refusal": None}
    yield _delta(index, first)
    for number, call in enumerate(made):
        named = {**_called(call), "function": {"name": call.tool, "arguments": ""}}
        yield _delta(index, {"tool_calls": [{"index": number, **named}]})
        middle = len(call.arguments) // 2
        for part in filter(None, (call.arguments[:middle], call.arguments[middle:])):
            piece = {"index": number, "function": {"arguments": part}}
            yield _delta(index, {"tool_calls": [piece]})
    for token in tokens:
        yield _delta(index, {"content": token})
    yield _delta(index, {}, reason)


def _delta(index: int, delta: Json, reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def _event(chunk: Json) -> bytes:
    return b"data: " + compact(chunk).encode() + b"\n\n"


def _failure() -> bytes:
    error = {"message": SERVER_ERROR, "type": "server_error", "param": None, "code": None}
    return _event({"error": error})

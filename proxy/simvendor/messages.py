"""Anthropic Messages: a request's body to the vendor's answer, whole or as a stream of events.

Every event carries its name twice. The first one names the model and counts the input, the last
but one says why it ended and counts the output; a `ping` comes in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.simvendor.answer import STREAM, Answer, whole
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

Json = Mapping[str, Any]
Block = tuple[Json, Sequence[Json], Json]
"""A content block: as it starts, what is added to it, and whole."""

_CHOICES = {"any": "required", "none": "none", "auto": "auto"}


def asked(body: Json, raw: bytes) -> Asked:
    """Read a checked body; `raw` is its bytes."""
    messages = body["messages"]
    turns = [message for message in messages if message["role"] != "system"]
    users = [text_of(m.get("content")) for m in turns if m["role"] == "user"]
    later = [text_of(m.get("content")) for m in messages if m["role"] == "system"]
    return Asked(
        seed=seed_of(raw),
        model=body["model"],
        settings=settings_of(body),
        system=[*filter(None, [text_of(body.get("system"))]), *later],
        earlier=max(len(turns) - 1, 0),
        question=next((said for said in reversed(users) if said), ""),
        result=_result(turns[-1].get("content")) if turns else None,
        tools=_tools(body.get("tools")),
        choice=_choice(body.get("tool_choice")),
        schema=_schema(body),
        limit=body.get("max_tokens"),
        input_tokens=counted(body),
    )


def counted(body: Json) -> int:
    """Return the tokens of the input."""
    said = [text_of(message.get("content")) for message in body["messages"]]
    return words([text_of(body.get("system")), *said])


def answer(body: Json, question: Asked) -> Answer:
    """Return the tidy answer to a checked body."""
    blocks, reason, made = _content(question)
    if not body.get("stream"):
        return whole(_message(question, [block for _, _, block in blocks], reason, made))
    events = [_event(event) for event in _events(question, blocks, reason, made)]
    return Answer(STREAM, events, _failure())


def count(body: Json, question: Asked) -> Answer:
    return whole({"input_tokens": question.input_tokens})


def _result(content: Any) -> str | None:
    """Return what a tool said, if the last message begins with that."""
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(first, dict) or first.get("type") != "tool_result":
        return None
    return text_of(first.get("content"))


def _tools(given: Any) -> list[Tool]:
    own = (tool for tool in given or () if isinstance(tool, dict) and "input_schema" in tool)
    return [Tool(str(tool.get("name")), tool["input_schema"]) for tool in own]


def _choice(given: Any) -> Any:
    kind = given.get("type") if isinstance(given, dict) else None
    return _CHOICES.get(str(kind), given)


def _schema(body: Json) -> Json | None:
    config = body.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else body.get("output_format")
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    return schema if isinstance(schema, dict) else None


def _content(question: Asked) -> tuple[list[Block], str, int]:
    """Return the blocks of the answer, why it ends, and its tokens."""
    if made := calls(question):
        tokens = words(call.arguments for call in made)
        return [_tool_block(call) for call in made], "tool_use", tokens
    tokens_, cut = pieces(question, text(question))
    said = "".join(tokens_)
    deltas = [{"type": "text_delta", "text": token} for token in tokens_]
    block = ({"type": "text", "text": ""}, deltas, {"type": "text", "text": said})
    return [block], "max_tokens" if cut else "end_turn", len(tokens_)


def _tool_block(call: Call) -> Block:
    named = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.tool}
    middle = len(call.arguments) // 2
    parts = ("", call.arguments[:middle], call.arguments[middle:])
    deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return {**named, "input": {}}, deltas, {**named, "input": json.loads(call.arguments)}


def _message(
    question: Asked, content: Sequence[Json], reason: str | None, output_tokens: int
) -> dict[str, Any]:
    return {
        "id": f"msg_{question.seed}",
        "type": "message",
        "role": "assistant",
        "model": snapshot(question.model),
        "content": list(content),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": question.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    }


def _events(
    question: Asked, blocks: Sequence[Block], reason: str, output_tokens: int
) -> Iterator[Json]:
    yield {"type": "message_start", "message": _message(question, [], None, 1)}
    for index, (start, deltas, _) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": output_tokens}}
    yield {"type": "message_stop"}


def _event(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {compact(event)}\n\n".encode()


def _failure() -> bytes:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    return _event({"type": "error", "error": error})

"""Responses: a request's body to the vendor's answer, whole or as a stream of named events.

Every event carries its type in the data too, and a sequence number from 0. There is no `[DONE]`:
a stream ends after `response.completed` or `response.incomplete`, which hold the usage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proxy.simvendor.answer import CREATED, STREAM, Answer, padding, whole
from proxy.simvendor.asked import (
    Asked,
    Call,
    Tool,
    calls,
    pieces,
    seed_of,
    settings_of,
    snapshot,
    text,
    text_of,
    words,
)
from proxy.simvendor.asked import (
    compact as as_json,
)
from proxy.simvendor.wrong import SERVER_ERROR

Json = Mapping[str, Any]
Event = tuple[str, Json]

SYSTEM_ROLES = ("system", "developer")

# What the vendor repeats from the request, and what it says where the request did not.
ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": "none", "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}


def asked(body: Json, raw: bytes) -> Asked:
    """Read a checked body; `raw` is its bytes."""
    given = items(body.get("input"))
    messages = [item for item in given if "role" in item]
    turns = [item for item in given if item.get("role") not in SYSTEM_ROLES]
    users = [item for item in turns if item.get("role") == "user"]
    last = turns[-1] if turns else {}
    told = last.get("type") == "function_call_output"
    instructions = body.get("instructions")
    system = [instructions] if isinstance(instructions, str) and instructions else []
    system += [text_of(m.get("content")) for m in messages if m["role"] in SYSTEM_ROLES]
    return Asked(
        seed=seed_of(raw),
        model=body["model"],
        settings=settings_of(body),
        system=system,
        earlier=max(len(turns) - 1, 0),
        question=text_of(users[-1].get("content")) if users else "",
        result=text_of(last.get("output")) if told else None,
        tools=_tools(body.get("tools")),
        choice=body.get("tool_choice"),
        schema=_schema(body.get("text")),
        limit=body.get("max_output_tokens"),
        input_tokens=words([*system, *(text_of(item.get("content")) for item in turns)]),
    )


def answer(body: Json, question: Asked) -> Answer:
    """Return the tidy answer to a checked body."""
    tokens, _ = pieces(question, text(question))
    made = calls(question)
    done = document(body, question, "completed")
    output = done["output"]
    if not body.get("stream"):
        return whole(done)
    options = body.get("stream_options") or {}
    hidden = options.get("include_obfuscation", True)
    started = _response(body, question, [], "in_progress")
    middle = _calling(made) if made else _speaking(output[0], tokens, hidden)
    events = [
        ("response.created", {"response": started}),
        ("response.in_progress", {"response": started}),
        *middle,
        (f"response.{done['status']}", {"response": done}),
    ]
    encoded = [_event(number, event) for number, event in enumerate(events)]
    return Answer(STREAM, encoded, _failure(len(events)))


def document(body: Json, question: Asked, status: str) -> dict[str, Any]:
    """Return a response that stands at `status`; a complete one may be cut by its limit."""
    if status != "completed":
        return _response(body, question, [], status)
    tokens, cut = pieces(question, text(question))
    made = calls(question)
    cut = cut and not made
    output = [_call_item(call) for call in made] or [_message(question, "".join(tokens), cut)]
    return _response(body, question, output, "incomplete" if cut else "completed")


def count(body: Json, question: Asked) -> Answer:
    """Return how many tokens a checked body would put in."""
    return whole({"object": "response.input_tokens", "input_tokens": question.input_tokens})


def compact(body: Json, question: Asked) -> Answer:
    """Return a conversation made compact, which nobody but the vendor can read."""
    item = {"id": f"cmp_{question.seed}", "type": "compaction", "encrypted_content": question.seed}
    return whole(
        {
            "id": id_of(question),
            "object": "response.compaction",
            "created_at": CREATED,
            "output": [item],
            "usage": _usage(question, []),
        }
    )


def id_of(question: Asked) -> str:
    return f"resp_{question.seed}"


def items(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return [item for item in given or () if isinstance(item, dict)]


def _tools(given: Any) -> list[Tool]:
    return [
        Tool(str(tool.get("name")), tool.get("parameters") or {})
        for tool in given or ()
        if isinstance(tool, dict) and tool.get("type") == "function"
    ]


def _schema(text: Any) -> Json | None:
    form = text.get("format") if isinstance(text, dict) else None
    if not isinstance(form, dict) or form.get("type") in (None, "text"):
        return None
    return form.get("schema") or {"properties": {"answer": {"type": "string"}}}


def _message(question: Asked, said: str, cut: bool) -> dict[str, Any]:
    return {
        "id": f"msg_{question.seed}",
        "type": "message",
        "status": "incomplete" if cut else "completed",
        "role": "assistant",
        "content": [_part(said)],
    }


def _part(said: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": said}


def _call_item(call: Call) -> dict[str, Any]:
    return {
        "id": f"fc_{call.id.removeprefix('call_')}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.tool,
        "arguments": call.arguments,
    }


def _response(body: Json, question: Asked, output: list[Any], status: str) -> dict[str, Any]:
    echoed = {name: body.get(name) for name in ECHOED if body.get(name) is not None}
    ended = status in ("completed", "incomplete")
    return {
        "id": id_of(question),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": body.get("background") is True,
        "completed_at": CREATED + 1 if status == "completed" else None,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": snapshot(question.model),
        "output": output,
        "service_tier": "default",
        **ECHOED,
        **echoed,
        "usage": _usage(question, output) if ended else None,
    }


def _usage(question: Asked, output: list[Any]) -> dict[str, Any]:
    made = words(
        [item.get("arguments") or text_of(item.get("content")) for item in output],
    )
    return {
        "input_tokens": question.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": question.input_tokens + made,
    }


def _speaking(item: Json, tokens: list[str], hidden: bool) -> Iterator[Event]:
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    said = item["content"][0]
    started = {**item, "status": "in_progress", "content": []}
    yield "response.output_item.added", {"output_index": 0, "item": started}
    yield "response.content_part.added", {**place, "part": _part("")}
    for token in tokens:
        pad = {"obfuscation": padding(token)} if hidden else {}
        yield "response.output_text.delta", {**place, "delta": token, "logprobs": [], **pad}
    yield "response.output_text.done", {**place, "text": said["text"], "logprobs": []}
    yield "response.content_part.done", {**place, "part": said}
    yield "response.output_item.done", {"output_index": 0, "item": item}


def _calling(made: list[Call]) -> Iterator[Event]:
    for index, call in enumerate(made):
        item = _call_item(call)
        place = {"item_id": item["id"], "output_index": index}
        started = {**item, "status": "in_progress", "arguments": ""}
        yield "response.output_item.added", {"output_index": index, "item": started}
        middle = len(call.arguments) // 2
        for part in filter(None, (call.arguments[:middle], call.arguments[middle:])):
            yield "response.function_call_arguments.delta", {**place, "delta": part}
        done = {"name": call.tool, "arguments": call.arguments}
        yield "response.function_call_arguments.done", {**place, **done}
        yield "response.output_item.done", {"output_index": index, "item": item}


def _event(number: int, event: Event) -> bytes:
    name, fields = event
    body = as_json({"type": name, "sequence_number": number, **fields})
    return f"event: {name}\ndata: {body}\n\n".encode()


def _failure(number: int) -> bytes:
    fields = {"code": "server_error", "message": SERVER_ERROR, "param": None}
    return _event(number, ("error", fields))

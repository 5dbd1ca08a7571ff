"""Gemini's API: model and method in the path; a stream of chunks that are whole answers each, as
events or in one list; token counts and embeddings.

What is read here is a body in one spelling of its names, with what the path says added: `model`,
`method` and `scope`, and how a stream is wanted as `alt`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.simvendor.answer import STREAM, WHOLE, Answer, whole
from proxy.simvendor.asked import (
    Asked,
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
from proxy.simvendor.embeddings import vector
from proxy.simvendor.gemini_wrong import (
    check_count,
    check_embedding,
    check_generate,
    declared,
    error_of,
)

Json = Mapping[str, Any]
Part = dict[str, Any]

# As many numbers as the vendor's embedding model gives where nothing else is asked for.
DIMENSIONS = 3072

ADDRESSED = frozenset({"model", "method", "scope", "alt"})
EMBEDDING = ("embedContent", "batchEmbedContents")
_MODES = {"ANY": "required", "NONE": "none", "AUTO": "auto"}
_NO_SCHEMA = {"properties": {"answer": {"type": "string"}}}


def check(body: Json) -> None:
    """Raise `Wrong` (400) for a body that the vendor would refuse."""
    sent = _sent(body)
    if body["method"] in EMBEDDING:
        check_embedding(sent, body["model"], batch=body["method"] == EMBEDDING[1])
    elif body["method"] == "countTokens":
        check_count(sent, body["model"], on_vertex=bool(body["scope"]))
    else:
        check_generate(sent)


def asked(body: Json, raw: bytes) -> Asked:
    """Read a checked body; `raw` is its bytes."""
    sent = _sent(body)
    if body["method"] in EMBEDDING:
        return _embedded(body, raw)
    request = sent.get("generateContentRequest", sent)
    turns = _listed(request.get("contents"))
    config = request.get("generationConfig") or {}
    users = [_text(turn) for turn in turns if turn.get("role", "user") == "user"]
    system = _text(request.get("systemInstruction") or {})
    return Asked(
        seed=seed_of(raw),
        model=body["model"],
        settings=settings_of(config),
        system=[system] if system else [],
        earlier=max(len(turns) - 1, 0),
        question=next((said for said in reversed(users) if said), ""),
        result=_result(turns[-1]) if turns else None,
        tools=[_tool(function) for function in declared(request.get("tools"))],
        choice=_choice(request.get("toolConfig") or {}),
        schema=_schema(config),
        limit=config.get("maxOutputTokens"),
        input_tokens=words([system, *map(_text, turns)]),
    )


def answer(body: Json, question: Asked) -> Answer:
    """Return the tidy answer to a checked body."""
    if body["method"] in EMBEDDING:
        return _embeddings(body, question)
    if body["method"] == "countTokens":
        return whole({"totalTokens": question.input_tokens})
    parts, reason, made = _content(question)
    if body["method"] == "generateContent":
        return whole(_chunk(question, parts, reason, made))
    chunks = [_chunk(question, [part], None, 0) for part in parts[:-1]]
    chunks.append(_chunk(question, parts[-1:], reason, made))
    if body["alt"] == "sse":
        return Answer(STREAM, [_event(chunk) for chunk in chunks], _event(error_of(503)))
    return Answer(WHOLE, list(_list(chunks)), b"")


def _sent(body: Json) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ADDRESSED}


def _listed(given: Any) -> list[Any]:
    """The vendor takes a single object for a list of one."""
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def _text(content: Json) -> str:
    return text_of(_listed(content.get("parts")))


def _result(content: Json) -> str | None:
    """Return what a function answered, if the last message begins with that."""
    parts = _listed(content.get("parts"))
    first = parts[0].get("functionResponse") if parts else None
    return compact(first.get("response")) if isinstance(first, dict) else None


def _tool(function: Json) -> Tool:
    schema = function.get("parametersJsonSchema") or function.get("parameters") or {}
    return Tool(str(function.get("name")), _json_schema(schema))


def _choice(config: Json) -> Any:
    chosen = config.get("functionCallingConfig") or {}
    allowed = chosen.get("allowedFunctionNames")
    if chosen.get("mode") == "ANY" and allowed:
        return {"name": allowed[0]}
    return _MODES.get(chosen.get("mode", "AUTO"))


def _schema(config: Json) -> Json | None:
    if config.get("responseMimeType") != "application/json":
        return None
    return _json_schema(config.get("responseJsonSchema") or config.get("responseSchema")) or (
        _NO_SCHEMA
    )


def _json_schema(schema: Any) -> Any:
    """Return a schema with types as JSON Schema has them: the API's own are in capitals."""
    if isinstance(schema, list):
        return [_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    lower = {name: _json_schema(value) for name, value in schema.items()}
    kind = lower.get("type")
    return {**lower, "type": kind.lower()} if isinstance(kind, str) else lower


def _content(question: Asked) -> tuple[list[Part], str, int]:
    """Return the parts of the answer, why it ends, and its tokens."""
    if made := calls(question):
        parts: list[Part] = [
            {"functionCall": {"id": call.id, "name": call.tool, "args": json.loads(call.arguments)}}
            for call in made
        ]
        # What the vendor wants back with the call in the next turn.
        parts[0] = {**parts[0], "thoughtSignature": f"c2ln{question.seed}"}
        return parts, "STOP", words(call.arguments for call in made)
    tokens, cut = pieces(question, text(question))
    return [{"text": token} for token in tokens], "MAX_TOKENS" if cut else "STOP", len(tokens)


def _chunk(
    question: Asked, parts: Sequence[Part], reason: str | None, output_tokens: int
) -> dict[str, Any]:
    """Return an answer with these parts; one that has a reason to end counts its tokens too."""
    said = "".join(part.get("text", "") for part in parts)
    shown = [*[part for part in parts if "text" not in part], *([{"text": said}] if said else [])]
    candidate: dict[str, Any] = {"content": {"parts": shown, "role": "model"}, "index": 0}
    counted = {"promptTokenCount": question.input_tokens}
    if reason is not None:
        candidate["finishReason"] = reason
        counted["candidatesTokenCount"] = output_tokens
    return {
        "candidates": [candidate],
        "usageMetadata": {**counted, "totalTokenCount": sum(counted.values())},
        "modelVersion": snapshot(question.model),
        "responseId": question.seed,
    }


def _event(chunk: Json) -> bytes:
    return f"data: {compact(chunk)}\r\n\r\n".encode()


def _list(chunks: Sequence[Json]) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        yield f"{',' if number else '['}{compact(chunk)}\r\n".encode()
    yield b"]"


def _requests(body: Json) -> list[Json]:
    return list(body["requests"]) if body["method"] == EMBEDDING[1] else [_sent(body)]


def _embedded(body: Json, raw: bytes) -> Asked:
    said = [_text(request["content"]) for request in _requests(body)]
    return Asked(
        seed=seed_of(raw),
        model=body["model"],
        settings=[],
        system=[],
        earlier=0,
        question=" ".join(said),
        result=None,
        tools=[],
        choice=None,
        schema=None,
        limit=None,
        input_tokens=words(said),
    )


def _embeddings(body: Json, question: Asked) -> Answer:
    rows = [
        {
            "values": vector(
                snapshot(question.model),
                _text(request["content"]),
                request.get("outputDimensionality") or DIMENSIONS,
            )
        }
        for request in _requests(body)
    ]
    if body["method"] == EMBEDDING[0]:
        return whole({"embedding": rows[0]})
    return whole({"embeddings": rows, "usageMetadata": {"promptTokenCount": question.input_tokens}})

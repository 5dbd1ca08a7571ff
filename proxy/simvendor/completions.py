"""Legacy completions: a text and its continuation, whole or as a stream of chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from proxy.simvendor.answer import CREATED, STREAM, Answer, whole
from proxy.simvendor.asked import Asked, compact, pieces, snapshot, text
from proxy.simvendor.chat import DONE, MAX_CHOICES
from proxy.simvendor.texts import asked_about, texts_of
from proxy.simvendor.wrong import SERVER_ERROR

Json = Mapping[str, Any]

Choice = tuple[list[str], str]
"""Tokens, and why they end."""


def asked(body: Json, raw: bytes) -> Asked:
    """Read a checked body; `raw` is its bytes."""
    return asked_about(texts_of(body.get("prompt")), body, raw)


def answer(body: Json, question: Asked) -> Answer:
    """Return the tidy answer to a checked body."""
    choices = [_choice(body, question, number) for number in range(_count(body))]
    head = {
        "id": f"cmpl-{question.seed}",
        "object": "text_completion",
        "created": CREATED,
        "model": snapshot(question.model),
    }
    if not body.get("stream"):
        rows = [
            _row(index, "".join(tokens), reason) for index, (tokens, reason) in enumerate(choices)
        ]
        return whole({**head, "choices": rows, "usage": _usage(question, choices)})
    options = body.get("stream_options") or {}
    chunks = [{**head, "choices": [row]} for row in _rows(choices)]
    if options.get("include_usage"):
        chunks = [{**chunk, "usage": None} for chunk in chunks]
        chunks.append({**head, "choices": [], "usage": _usage(question, choices)})
    error = {"message": SERVER_ERROR, "type": "server_error", "param": None, "code": None}
    return Answer(STREAM, [*map(_event, chunks), DONE], _event({"error": error}))


def _count(body: Json) -> int:
    wanted = body.get("n")
    return min(wanted, MAX_CHOICES) if isinstance(wanted, int) and wanted > 0 else 1


def _choice(body: Json, question: Asked, number: int) -> Choice:
    plain = text(question) + (f" (choice {number + 1})" if number else "")
    tokens, cut = pieces(question, plain)
    echoed = [question.question] if body.get("echo") else []
    return [*echoed, *tokens], "length" if cut else "stop"


def _rows(choices: list[Choice]) -> Iterator[Json]:
    """Yield the choices of the chunks in order; several take turns."""
    rows = [
        [*(_row(index, token, None) for token in tokens), _row(index, "", reason)]
        for index, (tokens, reason) in enumerate(choices)
    ]
    for turn in zip_longest(*rows):
        yield from filter(None, turn)


def _row(index: int, said: str, reason: str | None) -> dict[str, Any]:
    return {"text": said, "index": index, "logprobs": None, "finish_reason": reason}


def _usage(question: Asked, choices: list[Choice]) -> dict[str, int]:
    made = sum(len(tokens) for tokens, _ in choices)
    return {
        "prompt_tokens": question.input_tokens,
        "completion_tokens": made,
        "total_tokens": question.input_tokens + made,
    }


def _event(chunk: Json) -> bytes:
    return b"data: " + compact(chunk).encode() + b"\n\n"

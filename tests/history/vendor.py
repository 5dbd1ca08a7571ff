"""A vendor that answers with what it got: the digest of the body, the mark in the system prompt,
and what the app said. Streams come in pieces, with pauses, so that pins move in between."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, Self

from tests.history.body import digest, mark_of
from tests.listening import Listening
from tests.vendor_script import Received, chunk, cut_request, stream_head, whole

# Long enough for some switches during an answer, short enough for many answers in a run.
LONGEST_PAUSE_S = 0.03
PIECES = 4


class MirrorVendor:
    """Serves inside `async with`."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._listening = Listening(self._accept)

    async def __aenter__(self) -> Self:
        await self._listening.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._listening.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        finally:  # also where the proxy was killed
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = b""
        while piece := await reader.read(65536):
            received += piece
            while (request := cut_request(received)) is not None:
                received = received[len(request.head) + len(request.framed) :]
                await self._answer(request, writer)

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        if not request.body:  # a proxy asks which models there are
            writer.write(whole(b"", status=404))
            return
        body = json.loads(request.body)
        text = json.dumps(seen(body))
        if not body.get("stream"):
            writer.write(whole(json.dumps(_completion(text)).encode()))
            return
        writer.write(stream_head())
        for piece in _pieces(text):
            await asyncio.sleep(self._random.uniform(0, LONGEST_PAUSE_S))
            writer.write(chunk(_event(json.dumps(_delta(piece)))))
            await writer.drain()
        writer.write(chunk(_event("[DONE]")) + chunk(b""))


def seen(body: dict[str, Any]) -> dict[str, str]:
    """Return what is told of a body: enough to say whose it is, and whether it is all of it."""
    messages = body["messages"]
    return {
        "saw": digest(body),
        "mark": mark_of(messages[0]["content"]),
        "echo": messages[-1]["content"],
    }


def _pieces(text: str) -> list[str]:
    size = -(-len(text) // PIECES)
    return [text[place : place + size] for place in range(0, len(text), size)]


def _event(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}


def _delta(text: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}

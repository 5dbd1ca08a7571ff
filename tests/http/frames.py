"""Requests as bytes, for the tests that cut them."""

import asyncio
import json

from tests.http.scene import BODY
from tests.raw_client import request

PLAIN = request(BODY).partition(b"\r\n\r\n")[2]


def sized(size):
    """Return a body of exactly `size` bytes, no two stretches of it alike."""
    frame = json.dumps({**BODY, "messages": [{"role": "user", "content": ""}]})
    filler = "".join(f"{number:08x}" for number in range(size // 8 + 1))
    text = frame.replace('"content": ""', f'"content": "{filler[: size - len(frame)]}"')
    assert len(text) == size
    return text


def content(body):
    return json.loads(body)["messages"][-1]["content"]


def in_chunks(body, size):
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


def expecting(path="/v1/chat/completions", *, line=None, headers=(), length=None):
    """Return the head of a request that asks whether its body is wanted."""
    lines = [
        line or f"POST {path} HTTP/1.1",
        "Host: a",
        "Expect: 100-continue",
        *headers,
        f"Content-Length: {len(PLAIN) if length is None else length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def apart(app, *pieces):
    """Send each piece so that the proxy reads it alone."""
    for piece in pieces:
        await app.send(piece)
        for _ in range(4):
            await asyncio.sleep(0)

"""What the load generators send: chat requests of the usual size, and one of a megabyte."""

from __future__ import annotations

import json
from typing import Any

SYSTEM = (
    "You are the assistant of a mid-size logistics company. Answer in plain English, in at most "
    "four sentences. When a number is asked for, give the number first and its source second. "
    "Never invent a figure; when the data that you were given does not hold it, say so and name "
    "the department that keeps it."
)
FIGURES = (
    "Here are the figures of the quarter: revenue north 1.91 M, south 2.44 M, west 0.87 M, east "
    "2.02 M; operating costs 5.13 M in all, of which fleet 2.20 M, staff 2.31 M, rent 0.62 M. "
    "Contracts lost: north 14, south 3, west 2, east 5."
)
QUESTION = (
    "Compare that with the previous quarter (revenue 6.95 M, costs 5.14 M, contracts lost 9) and "
    "tell me which two regions need attention first, and why. Then propose one question that I "
    "should ask each of the two regional leads on Monday. Keep in mind that the west moved two "
    "customers to the north in May, that the fleet cost of the east holds a one-time repair of "
    "0.09 M, and that rent is fixed until the end of next year, so no saving can be had there "
    "before the contract ends."
)

# Begins what the vendor (vendor.c) answers.
ANSWER = "The quarterly numbers"

LARGE_BYTES = 1_000_000


def body(model: str, *, stream: bool = False, large_bytes: int = 0) -> bytes:
    """Return a request body: about 1.2 KB, or a long history of about `large_bytes`."""
    asked: dict[str, Any] = {
        "model": model,
        "messages": _messages(large_bytes),
        "temperature": 0.2,
        "max_tokens": 256,
        "user": "u-20417",
    }
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(asked).encode()


def _messages(large_bytes: int) -> list[dict[str, str]]:
    messages = [{"role": "system", "content": SYSTEM}]
    size = 1500
    while size < large_bytes:
        turn = len(messages)
        role = "user" if turn % 2 else "assistant"
        messages.append({"role": role, "content": f"Turn {turn}. {FIGURES} {QUESTION}"})
        size += len(messages[-1]["content"]) + 35
    last = [{"role": "user", "content": text} for text in (FIGURES, QUESTION)]
    return messages + last

"""Embeddings: the same text gets the same vector from the same model, another from another."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Mapping
from typing import Any

from proxy.simvendor.answer import Answer, whole
from proxy.simvendor.asked import Asked, snapshot
from proxy.simvendor.texts import asked_about, texts_of

Json = Mapping[str, Any]

# As many numbers as the vendor's smaller model gives where nothing else is asked for.
DIMENSIONS = 1536


def asked(body: Json, raw: bytes) -> Asked:
    """Read a checked body; `raw` is its bytes."""
    return asked_about(texts_of(body["input"]), body, raw)


def answer(body: Json, question: Asked) -> Answer:
    """Return the answer to a checked body."""
    model = snapshot(question.model)
    size = body.get("dimensions") or DIMENSIONS
    packed = body.get("encoding_format") == "base64"
    vectors = [vector(model, text, size) for text in texts_of(body["input"])]
    rows = [
        {"object": "embedding", "index": index, "embedding": pack(one) if packed else one}
        for index, one in enumerate(vectors)
    ]
    used = {"prompt_tokens": question.input_tokens, "total_tokens": question.input_tokens}
    return whole({"object": "list", "data": rows, "model": model, "usage": used})


def vector(model: str, text: str, size: int) -> list[float]:
    """Return `size` numbers whose squares add up to 1."""
    drawn = hashlib.shake_128(f"{model}\n{text}".encode()).digest(2 * size)
    numbers = [number + 0.5 for number in struct.unpack(f"<{size}h", drawn)]
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def pack(numbers: list[float]) -> str:
    """Return numbers as the vendor packs them: 32 bits each, little end first, in base 64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()

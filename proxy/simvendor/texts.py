"""A request that holds texts and nothing that is said around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.simvendor.asked import Asked, compact, seed_of, settings_of, words

Json = Mapping[str, Any]


def texts_of(given: Any) -> list[str]:
    """Return the texts of a field that holds one or several, each as text or as token numbers."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and any(isinstance(one, str | list) for one in given):
        return [one if isinstance(one, str) else compact(one) for one in given]
    return [compact(given)] if given else [""]


def asked_about(texts: list[str], body: Json, raw: bytes) -> Asked:
    return Asked(
        seed=seed_of(raw),
        model=body["model"],
        settings=settings_of(body),
        system=[],
        earlier=0,
        question=" ".join(texts),
        result=None,
        tools=[],
        choice=None,
        schema=None,
        limit=body.get("max_tokens"),
        input_tokens=words(texts),
    )

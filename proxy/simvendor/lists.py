"""The list of models, in the shapes that vendors have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proxy.simvendor.answer import CREATED


def google(models: Sequence[str]) -> dict[str, Any]:
    return {"models": [{"name": f"models/{name}"} for name in dict.fromkeys(models)]}


def openai(models: Sequence[str]) -> dict[str, Any]:
    rows = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "simulated"}
        for name in dict.fromkeys(models)
    ]
    return {"object": "list", "data": rows}


def anthropic(models: Sequence[str]) -> dict[str, Any]:
    rows = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-11-24T00:00:00Z"}
        for name in dict.fromkeys(models)
    ]
    return {"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]}

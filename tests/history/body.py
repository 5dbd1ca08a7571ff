"""What a vendor has to receive for a request, and how two bodies are compared: parsed, by digest.

Written by hand, not by the proxy's composer: it is the composer that is under test.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

VENDOR_MODEL = "gpt-4o-2024-08-06"


@dataclass(frozen=True, slots=True)
class Sources:
    """A version's files, and what they put into a body."""

    files: dict[str, str]
    injected: str


def sources(mark: str, number: int) -> Sources:
    """Return a version with `mark` in its prompt and its tool, and `number` in what else it has."""
    tool = {"name": f"tool_{number}", "parameters": {"type": "object", "properties": {}}}
    # Never a whole number: 1.0 and 1 are one number to a vendor, and two to a digest.
    system, temperature = f"You are {mark}.", round(0.005 + number % 190 / 100, 3)
    version = f'[model]\nvendor = "openai"\nid = "{VENDOR_MODEL}-{number}"\n'
    files = {
        "version.toml": f"{version}[generation]\ntemperature = {temperature}\n",
        "system.md": f"{system}\n",
        "tools.json": json.dumps([tool]),
    }
    injected = {
        "model": f"{VENDOR_MODEL}-{number}",
        "temperature": temperature,
        "tools": [{"type": "function", "function": tool}],
        "messages": [{"role": "system", "content": system}],
    }
    return Sources(files, json.dumps(injected))


def asking(model: str, request: str, *, stream: bool) -> dict[str, Any]:
    """Return the body that an app sends: `request` is all it says."""
    body = {"model": model, "messages": [{"role": "user", "content": request}]}
    return {**body, "stream": True} if stream else body


def expected(injected: str, request: str, *, stream: bool) -> str:
    """Return the digest of what the vendor has to get for this request of this version."""
    body = json.loads(injected)
    body["messages"].append({"role": "user", "content": request})
    return digest({**body, "stream": True} if stream else body)


def digest(body: Any) -> str:
    """Return a digest that does not depend on spelling: spaces, and the order of names."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def mark_of(system: str) -> str:
    """Return the mark in a system prompt; the prompt itself where it has none."""
    return system.removeprefix("You are ").removesuffix(".")

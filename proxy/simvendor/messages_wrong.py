"""What a vendor of the Messages API refuses, with the texts and in the shape of its own errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from proxy.simvendor.wrong import Wrong, check_model

Json = Mapping[str, Any]
Headers = Mapping[str, str]

API = "anthropic-version"
# From this version of the API on, these are unknown.
WITHOUT_SAMPLING = "2026-10-21"
SAMPLING = ("temperature", "top_p", "top_k")

MOST_MARKS = 4

NOT_COUNTED = ("max_tokens", "stream", "stop_sequences", "metadata", "service_tier", *SAMPLING)

_TYPES: Mapping[str, type] = {
    "stream": bool,
    "tools": list,
    "tool_choice": dict,
    "output_config": dict,
    "stop_sequences": list,
}

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_WORDS = {429: "Rate limit reached.", 529: "Overloaded", 401: "invalid x-api-key"}


def body_of(status: int, message: str | None = None) -> bytes:
    """Return an error's body; `message` None: the usual words."""
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    words = message or _WORDS.get(status, "Internal server error" if status >= 500 else "Refused")
    error = {"type": kind, "message": words}
    return json.dumps({"type": "error", "error": error, "request_id": "req_sim"}).encode()


def check_key(headers: Headers) -> None:
    """Raise `Wrong` (401) unless there is a key, in one header or the other."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not headers.get("x-api-key") and (scheme.lower() != "bearer" or not token.strip()):
        raise Wrong(401, "x-api-key header is required")


def check_messages(body: Json, headers: Headers) -> None:
    """Raise `Wrong` (400) for what the vendor is known to refuse."""
    _check_both(body, headers)
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise Wrong(400, "max_tokens: Field required")
    for name in SAMPLING:
        if body.get(name) is not None and headers[API] >= WITHOUT_SAMPLING:
            raise Wrong(400, f"{name}: Extra inputs are not permitted")
    if not 0 <= (body.get("temperature") or 0) <= 1:
        raise Wrong(400, "temperature: range: 0..1")


def check_count(body: Json, headers: Headers) -> None:
    _check_both(body, headers)
    for name in NOT_COUNTED:
        if name in body:
            raise Wrong(400, f"{name}: Extra inputs are not permitted")


def _check_both(body: Json, headers: Headers) -> None:
    if not headers.get(API):
        raise Wrong(400, f"{API}: header is required")
    check_model(body)
    for name, kind in _TYPES.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise Wrong(400, f"{name}: Input should be a valid {kind.__name__}")
    if not isinstance(body.get("system", ""), str | list):
        raise Wrong(400, "system: Input should be a valid string or list")
    _check_said(body.get("messages"))
    if body.get("tool_choice") is not None and not body.get("tools") and not _continues(body):
        raise Wrong(400, "tool_choice: may only be specified while providing tools")
    if _marks(body) > MOST_MARKS:
        raise Wrong(400, f"A maximum of {MOST_MARKS} blocks with cache_control may be provided.")
    if _continues(body) and ("system" in body or "tools" in body):
        raise Wrong(400, "thread: system and tools are those of the thread")


def _check_said(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Wrong(400, "messages: at least one message is required")
    for number, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant", "system"):
            raise Wrong(400, f"messages.{number}.role: Input should be 'user' or 'assistant'")


def _continues(body: Json) -> bool:
    thread = body.get("thread")
    return isinstance(thread, dict) and thread.get("type") == "continue"


def _marks(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_marks, value))
    if not isinstance(value, Mapping):
        return 0
    own = value.get("cache_control") is not None
    return own + sum(_marks(inner) for name, inner in value.items() if name != "input")

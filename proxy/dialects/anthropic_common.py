"""What is the vendor's own in the Messages API: headers, errors, the list of models."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proxy.dialects.base import JsonValue, Rows
from proxy.errors import RequestError

API = b"anthropic-version"
BETA = b"anthropic-beta"

# What apps speak that send none. Every SDK sends one, so these are written by hand.
USUAL_API = b"2023-06-01"

# From this version of the API on, sampling parameters are refused (wire.md, 10.1).
WITHOUT_SAMPLING = "2026-10-21"
SAMPLING = ("temperature", "top_p", "top_k")

_KINDS: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    504: "timeout_error",
}


def error_object(error: RequestError, request_id: str) -> dict[str, JsonValue]:
    """Return `error` as this API has it; our code is what SDKs call its `error_code`."""
    kind = _KINDS.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    hint = f" ({error.hint})" if error.hint else ""
    described = {
        "type": kind,
        "message": f"proxy: {error.message}{hint}",
        "details": {"error_code": error.code},
    }
    return {"type": "error", "error": described, "request_id": request_id}


def error_event(error: RequestError, request_id: str) -> bytes:
    event = msgspec.json.encode(error_object(error, request_id))
    return b"event: error\ndata: %b\n\n" % event


def described(row: Mapping[str, str]) -> JsonValue:
    """Return a model in a list. SDKs insist on a time and a state, which a label does not have."""
    fixed = {"type": "model", "created_at": "1970-01-01T00:00:00Z", "lifecycle": "active"}
    return {**fixed, "display_name": row["id"], **row}


def listed(rows: Rows) -> JsonValue:
    """Return the whole list as one page."""
    return {
        "data": [described(row) for row in rows],
        "has_more": False,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
    }

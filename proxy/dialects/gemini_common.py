"""What is the vendor's own in Gemini's API: errors, and the list of models."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proxy.dialects.base import JsonValue, Rows
from proxy.dialects.gemini_paths import MODELS
from proxy.errors import RequestError

# Google's codes (google.rpc.Code), where an HTTP status has one of its own.
_STATUSES: Mapping[int, str] = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."
# Where Google's clients look for how long to wait; they do not read `retry-after`.
_RETRY = {"@type": f"{_TYPE}RetryInfo", "retryDelay": "1s"}

METHODS = ("generateContent", "countTokens", "embedContent", "batchEmbedContents")


def error_object(error: RequestError, request_id: str) -> dict[str, JsonValue]:
    """Return `error` as Google's APIs have it; our code is the reason in its details."""
    usual = "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL"
    hint = f" ({error.hint})" if error.hint else ""
    reason = {
        "@type": f"{_TYPE}ErrorInfo",
        "reason": error.code,
        "domain": "proxy",
        "metadata": {"request_id": request_id},
    }
    return {
        "error": {
            "code": error.status,
            "message": f"proxy: {error.message}{hint}",
            "status": _STATUSES.get(error.status, usual),
            "details": [reason, _RETRY] if error.passing else [reason],
        }
    }


def error_body(error: RequestError, request_id: str) -> bytes:
    return msgspec.json.encode(error_object(error, request_id))


def error_event(error: RequestError, request_id: str) -> bytes:
    """One line and nothing else: SDKs fail on event lines, comments and other blanks."""
    return b"data: %b\n\n" % error_body(error, request_id)


def described(row: Mapping[str, str]) -> JsonValue:
    return {
        "name": MODELS + row["id"],
        "version": row["version"],
        "displayName": row["id"],
        "supportedGenerationMethods": list(METHODS),
    }


def listed(rows: Rows) -> JsonValue:
    """Return the whole list as one page."""
    return {"models": [described(row) for row in rows]}

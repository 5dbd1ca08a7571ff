"""What the vendor refuses, with the texts and in the shape of its own errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})

TYPES: Mapping[str, type] = {
    "stream": bool,
    "tools": list,
    "n": int,
    "max_tokens": int,
    "max_completion_tokens": int,
    "max_output_tokens": int,
    "stream_options": dict,
    "response_format": dict,
    "text": dict,
}

_USUAL = {
    400: ("invalid_request_error", None, "Your request was malformed."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "forbidden", "You are not allowed to do this."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached. Please try again in 6ms."),
    503: ("server_error", "overloaded", "The engine is currently overloaded."),
}
SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"


class Wrong(Exception):
    """A request that is refused: `status`, and what goes into the body's `error` object."""

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        *,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}

    def body(self) -> bytes:
        return json.dumps({"error": self.error}, ensure_ascii=False).encode()


def usual(status: int) -> Wrong:
    """Return what the vendor says with this status when nothing else is known."""
    kind, code, message = _USUAL.get(status, ("server_error", None, SERVER_ERROR))
    return Wrong(status, message, kind, code=code)


def missing(name: str) -> Wrong:
    return Wrong(
        400,
        f"Missing required parameter: '{name}'.",
        param=name,
        code="missing_required_parameter",
    )


def parsed(body: bytes) -> dict[str, Any]:
    """Parse a body. Raises `Wrong` if it is no JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Wrong(400, "We could not parse the JSON body of your request.")
    return found


def check_credential(authorization: str | None) -> None:
    """Raise `Wrong` (401) unless there is a bearer token; which one does not matter."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Wrong(401, "You didn't provide an API key.")


def check_model(body: Json) -> None:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise missing("model")


def check_types(body: Json) -> None:
    for name, kind in TYPES.items():
        value = body.get(name)
        if value is not None and type(value) is not kind:
            raise _invalid(name, "an invalid type", "invalid_type")


def check_temperature(body: Json) -> None:
    value = body.get("temperature")
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid("temperature", "expected a number", "invalid_type")
    if not 0 <= value <= 2:
        raise _invalid("temperature", "expected a value from 0 to 2", "out_of_range")


def check_messages(body: Json) -> None:
    messages = body.get("messages")
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list) or not messages:
        raise _invalid("messages", "expected a non-empty array", "invalid_type")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise _invalid(f"messages[{number}].role", "not a known role", "invalid_value")


def check_chat(body: Json) -> None:
    check_model(body)
    check_types(body)
    check_messages(body)
    check_temperature(body)
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise _invalid(
            "max_tokens",
            "not supported together with 'max_completion_tokens'",
            "invalid_parameter_combination",
        )
    if body.get("stream_options") is not None and not body.get("stream"):
        raise _invalid("stream_options", "only allowed when 'stream' is enabled", None)


def check_responses(body: Json) -> None:
    if body.get("prompt") is not None:
        raise Wrong(404, "Prompt not found.", param="prompt.id", code="prompt_not_found")
    check_model(body)
    check_types(body)
    check_temperature(body)
    given = ("input", "conversation", "previous_response_id")
    if all(body.get(name) is None for name in given):
        raise missing("input")
    if not isinstance(body.get("input", ""), str | list | None):
        raise _invalid("input", "expected a string or an array", "invalid_type")


def check_completions(body: Json) -> None:
    check_model(body)
    check_types(body)
    check_temperature(body)
    _check_texts("prompt", body.get("prompt", ""))


def check_embeddings(body: Json) -> None:
    check_model(body)
    if body.get("input") is None:
        raise missing("input")
    _check_texts("input", body["input"])
    dimensions = body.get("dimensions")
    if dimensions is not None and (type(dimensions) is not int or not 0 < dimensions <= 3072):
        raise _invalid("dimensions", "expected a value from 1 to 3072", "out_of_range")
    if body.get("encoding_format") not in (None, "float", "base64"):
        raise _invalid("encoding_format", "expected 'float' or 'base64'", "invalid_value")


def _check_texts(name: str, given: Any) -> None:
    """Texts may be given as numbers of tokens, and several at once."""
    if not isinstance(given, str | list) or (name == "input" and not given):
        raise _invalid(name, "expected a string or an array", "invalid_type")


def _invalid(param: str, why: str, code: str | None) -> Wrong:
    return Wrong(400, f"Invalid '{param}': {why}.", param=param, code=code)

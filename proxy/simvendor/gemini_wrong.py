"""What a vendor of Gemini's API refuses, as its errors look; and names in one spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from proxy.simvendor.wrong import Wrong

Json = Mapping[str, Any]
Headers = Mapping[str, str]

FIELDS = frozenset(
    {
        *("contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "labels"),
        *("generationConfig", "cachedContent", "serviceTier", "store", "continuationToken"),
    }
)
CONFIG = frozenset(
    {
        *("temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences"),
        *("seed", "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs"),
        *("responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities"),
        *("thinkingConfig", "speechConfig", "mediaResolution", "imageConfig"),
    }
)
EMBEDDED = frozenset({"content", "model", "taskType", "title", "outputDimensionality"})

# Only of the first kind can be counted on Vertex, only of the second elsewhere.
COUNTED_ON_VERTEX = frozenset({"contents", "systemInstruction", "tools", "generationConfig"})
COUNTED = frozenset({"contents", "generateContentRequest"})

# What an app fills in itself: names in there are not the API's.
_OPAQUE = frozenset(
    {
        *("parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"),
        *("args", "response", "labels"),
    }
)
_GAP = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_WORDS = {
    429: "You exceeded your current quota.",
    503: "The model is overloaded. Please try again later.",
    500: "An internal error has occurred.",
}
_RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}


def error_of(status: int, message: str | None = None) -> dict[str, Any]:
    """Return an error; `message` None: the usual words."""
    usual = "INVALID_ARGUMENT" if status < 500 else "INTERNAL"
    error: dict[str, Any] = {
        "code": status,
        "message": message or _WORDS.get(status, "Refused."),
        "status": _STATUSES.get(status, usual),
    }
    return {"error": {**error, "details": [_RETRY]} if status == 429 else error}


def body_of(status: int, message: str | None = None) -> bytes:
    return json.dumps(error_of(status, message)).encode()


def check_key(headers: Headers) -> None:
    """Raise `Wrong` (403) unless there is a key, or a token."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not headers.get("x-goog-api-key") and (scheme.lower() != "bearer" or not token.strip()):
        raise Wrong(403, "Method doesn't allow unregistered callers.")


def one_spelling(value: Any) -> Any:
    """Return JSON with names in camelCase. Raises `Wrong` for a field under both its names."""
    if isinstance(value, list):
        return [one_spelling(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for sent, inner in value.items():
        name = _GAP.sub(lambda match: match[1].upper(), sent)
        if name in found:
            raise Wrong(400, f"Invalid JSON payload received. Repeated field: {name}.")
        found[name] = inner if name in _OPAQUE else one_spelling(inner)
    return found


def check_generate(body: Json) -> None:
    """Raise `Wrong` (400) for what the vendor is known to refuse."""
    _only(body, FIELDS)
    config = _object(body, "generationConfig")
    _only(config, CONFIG, " at 'generation_config'")
    _object(body, "systemInstruction")
    _check_said(body.get("contents"))
    if not 0 <= (config.get("temperature") or 0) <= 2:
        raise Wrong(400, "temperature must be in the range [0.0, 2.0].")
    schemas = [name for name in ("responseSchema", "responseJsonSchema") if config.get(name)]
    if schemas and config.get("responseMimeType") != "application/json":
        raise Wrong(400, "a response schema is only supported with application/json.")
    if len(schemas) > 1:
        raise Wrong(400, "only one response schema may be set.")
    chosen = _object(body, "toolConfig").get("functionCallingConfig")
    if chosen and not declared(body.get("tools")):
        raise Wrong(400, "Function calling config is set without function_declarations.")
    clashing = [name for name in ("systemInstruction", "tools", "toolConfig") if body.get(name)]
    if body.get("cachedContent") and clashing:
        raise Wrong(400, f"CachedContent can not be used with {', '.join(clashing)}.")


def check_count(body: Json, model: str, *, on_vertex: bool) -> None:
    if on_vertex:
        _only(body, COUNTED_ON_VERTEX)
        _check_said(body.get("contents"))
        return
    _only(body, COUNTED)
    wrapped = body.get("generateContentRequest")
    if not isinstance(wrapped, dict):
        _check_said(body.get("contents"))
        return
    if "contents" in body:
        raise Wrong(400, "contents and generate_content_request are mutually exclusive.")
    _check_model(wrapped, model)
    check_generate({name: value for name, value in wrapped.items() if name != "model"})


def check_embedding(body: Json, model: str, *, batch: bool) -> None:
    requests = body.get("requests") if batch else [body]
    _only(body, frozenset({"requests"}) if batch else EMBEDDED)
    if not isinstance(requests, list) or not requests:
        raise Wrong(400, "* BatchEmbedContentsRequest.requests: must not be empty")
    for request in requests:
        _only(request, EMBEDDED, " at 'requests'")
        if batch or "model" in request:
            _check_model(request, model)
        if not isinstance(request.get("content"), dict):
            raise Wrong(400, "* EmbedContentRequest.content: is required")


def declared(tools: Any) -> list[Any]:
    """Return the functions that are declared in a list of tools."""
    entries = tools if isinstance(tools, list) else [tools]
    found = (one.get("functionDeclarations") for one in entries if isinstance(one, dict))
    return [function for some in found if isinstance(some, list) for function in some]


def _check_model(request: Json, model: str) -> None:
    if request.get("model") != f"models/{model}":
        raise Wrong(400, "the model in the request does not match the one in the path.")


def _check_said(contents: Any) -> None:
    said = [contents] if isinstance(contents, dict) else contents
    if not isinstance(said, list) or not said:
        raise Wrong(400, "* GenerateContentRequest.contents: contents is not specified")
    for content in said:
        if not isinstance(content, dict) or content.get("role", "user") not in ("user", "model"):
            raise Wrong(400, "Please use a valid role: user, model.")


def _object(body: Json, name: str) -> Json:
    found = body.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Wrong(400, f"Invalid value at '{name}', it must be an object.")
    return found


def _only(body: Any, known: frozenset[str], place: str = "") -> None:
    for name in body if isinstance(body, dict) else ():
        if name not in known:
            words = f'Invalid JSON payload received. Unknown name "{name}"{place}'
            raise Wrong(400, f"{words}: Cannot find field.")

"""OpenAI's stored prompts, read from JSON into a version's content.

There is no export with a schema. What people have is what the dashboard shows, the body of a
request that says the same, or a response to a call by `prompt`, which repeats instructions and
settings. All of them spell the parts alike, so one reader takes them all: what it knows becomes
content, what tells of a call and not of a prompt is passed over, and everything else is named.

A value that is the vendor's default is left out: a response repeats defaults that nobody set, and
some vendor models refuse them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from proxy.complaints import Complaint, build
from proxy.dialects.stored_prompt_texts import Said, read_said, read_variables
from proxy.versions.content import Content, complaints

NAME = "openai.responses"

# Of a call, or of the prompt's place at the vendor: nothing that the vendor's model would see.
_PASSED_OVER = frozenset(
    {
        *("id", "object", "name", "version", "description", "created", "created_at", "created_by"),
        *("updated_at", "updated_by", "is_default", "status", "completed_at", "error", "output"),
        *("incomplete_details", "output_text", "usage", "previous_response_id", "conversation"),
        *("user", "safety_identifier", "prompt_cache_key", "metadata", "billing", "moderation"),
        *("stream", "stream_options", "prompt_cache_retention", "prompt_cache_options"),
    }
)
_TEXTS = ("instructions", "messages", "input")
_REFERENCE = ("prompt", "variables")

_GENERATION = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_output_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "parallel_tool_calls": "parallel_tool_calls",
}
_EXTRA = (
    *("reasoning", "truncation", "max_tool_calls", "top_logprobs", "service_tier", "include"),
    *("store", "context_management"),
)

_DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "temperature": (1,),
    "top_p": (1,),
    "parallel_tool_calls": (True,),
    "tool_choice": ("auto",),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "service_tier": ("auto", "default"),
    "background": (False,),
    "store": (True,),
    "verbosity": ("medium",),
}


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """`left_out` says what was not understood, `wrong` what was and makes no version: then there is
    no content. `id` and `name` are the vendor's, empty where the file does not say."""

    content: Content | None
    id: str
    name: str
    left_out: tuple[Complaint, ...]
    wrong: tuple[Complaint, ...]


def read_stored_prompt(
    value: Mapping[str, Any], vendor: str, vendor_model: str | None = None
) -> StoredPrompt:
    """Make content of what a file holds; `vendor_model` goes before the one that it names. Nothing
    is raised: everything that is wrong is listed."""
    left: list[Complaint] = []
    given = {key: part for key, part in value.items() if not _is_default(key, part)}
    said = read_said(given, _TEXTS, left)
    generation = _generation(given, left)
    values: dict[str, Any] = {
        "model": {"vendor": vendor, "id": vendor_model or given.get("model")},
        "system": said.system,
        "messages": [{"role": role, "content": text} for role, text in said.messages],
        "user": said.user,
        "generation": generation,
        "tools": _tools(given.get("tools"), left),
        "variables": read_variables(given, said, left),
    }
    known = {*_TEXTS, *_REFERENCE, *_GENERATION, *_EXTRA, "model", "tools", "tool_choice"}
    known |= {"text", "response_format", *_PASSED_OVER}
    left += [((key,), "is not understood") for key in given if key not in known]
    content, wrong = build(Content, values, complaints)
    name, prompt_id = _named(given)
    return StoredPrompt(content, prompt_id, name, tuple(left), (*_lost(given, said), *wrong))


def _is_default(name: str, value: Any) -> bool:
    if value is None:
        return True
    defaults = _DEFAULTS.get(name, ())
    # True is 1 in Python, and no temperature.
    return any(
        one == value and isinstance(value, bool) == isinstance(one, bool) for one in defaults
    )


def _named(given: Mapping[str, Any]) -> tuple[str, str]:
    """Return the prompt's name and id."""
    reference = given.get("prompt")
    own = given if not isinstance(reference, Mapping) else reference
    texts = (given.get("name"), own.get("id", own.get("prompt_id")))
    name, prompt_id = (text if isinstance(text, str) else "" for text in texts)
    return name, prompt_id


def _lost(given: Mapping[str, Any], said: Said) -> list[Complaint]:
    """Complain of a response in which the variables were filled in: the templates are gone."""
    reference = given.get("prompt")
    if given.get("object") != "response" or not isinstance(reference, Mapping):
        return []
    named = reference.get("variables")
    return [
        (
            ("prompt", "variables", name),
            f"was filled in, so the template is lost; call again with {{{{{name}}}}} as its value",
        )
        for name in (named if isinstance(named, Mapping) else ())
        if name not in said.placeholders
    ]


def _generation(given: Mapping[str, Any], left: list[Complaint]) -> dict[str, Any]:
    generation = {_GENERATION[key]: given[key] for key in given if key in _GENERATION}
    extra = {key: _without_null(given[key]) for key in given if key in _EXTRA}
    text = dict(given["text"]) if isinstance(given.get("text"), Mapping) else {}
    if "text" in given and not isinstance(given["text"], Mapping):
        left.append((("text",), "is not understood"))
    wanted = given.get("response_format", text.pop("format", None))
    if (format := _format(wanted, left)) is not None:
        generation["response_format"] = format
    extra["text"] = {key: one for key, one in text.items() if not _is_default(key, one)}
    if (choice := _choice(given.get("tool_choice"), left)) is not None:
        generation["tool_choice"] = choice
    kept = {key: one for key, one in extra.items() if one not in ({}, [])}
    return {**generation, "extra": {NAME: kept}} if kept else generation


def _without_null(value: Any) -> Any:
    """Leave out what is null, which version.toml cannot hold and the vendor takes for unset."""
    if isinstance(value, Mapping):
        return {key: _without_null(one) for key, one in value.items() if one is not None}
    return value


def _format(value: Any, left: list[Complaint]) -> dict[str, Any] | None:
    """Return a response format, which is flat here and nested in chat."""
    if value is None or value == {"type": "text"}:
        return None
    if not isinstance(value, Mapping):
        left.append((("text", "format"), "is not understood"))
        return None
    nested = value.get("json_schema")
    flat = {**value, **nested} if isinstance(nested, Mapping) else dict(value)
    flat.pop("json_schema", None)
    return {key: one for key, one in flat.items() if one is not None}


def _choice(value: Any, left: list[Complaint]) -> Any:
    if value is None or isinstance(value, str):
        return value
    named = value.get("function", value) if isinstance(value, Mapping) else {}
    if isinstance(named, Mapping) and value.get("type") == "function" and "name" in named:
        return {"name": named["name"]}
    left.append((("tool_choice",), "only a function can be chosen by name"))
    return None


def _tools(value: Any, left: list[Complaint]) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        left.append((("tools",), "is not understood"))
        return []
    tools = (_tool(one, ("tools", index), left) for index, one in enumerate(value))
    return [tool for tool in tools if tool is not None]


def _tool(value: Any, path: tuple[str | int, ...], left: list[Complaint]) -> dict[str, Any] | None:
    if not isinstance(value, Mapping) or value.get("type") != "function":
        left.append((path, "only functions can be tools of a version"))
        return None
    nested = value.get("function")
    flat = nested if isinstance(nested, Mapping) else value
    known = ("name", "description", "parameters", "strict")
    others = {key for key in flat if flat[key] is not None} - {*known, "type"}
    left += [((*path, key), "is not understood") for key in sorted(others)]
    return {key: flat[key] for key in known if flat.get(key) is not None}

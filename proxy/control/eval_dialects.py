"""How a case is asked in each dialect, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from proxy.dialects.anthropic_messages import AnthropicMessages
from proxy.dialects.gemini_generate import GeminiGenerate
from proxy.dialects.openai_chat import OpenAIChat
from proxy.dialects.openai_responses import OpenAIResponses
from proxy.dialects.registry import DIALECTS
from proxy.dialects.samples import gemini_fields
from proxy.errors import InvalidArgument, RequestError
from proxy.evals.answer import Answer, read_chat, read_responses
from proxy.evals.answer_gemini import read_gemini
from proxy.evals.answer_messages import read_messages
from proxy.evals.suite import Case
from proxy.versions.content import Content


@dataclass(frozen=True, slots=True)
class Spoken:
    """`said` turns what a case says, if it does, into fields of the body, `read` a body into an
    answer."""

    said: Callable[[Case], dict[str, Any]]
    read: Callable[[bytes], Answer]


def _listed(case: Case) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in case.messages]


def _messages(case: Case) -> dict[str, Any]:
    """Say it as Anthropic has it: what the system says stands beside the messages."""
    system = "\n\n".join(text for role, text in case.messages if role == "system")
    said = [one for one in _listed(case) if one["role"] != "system"]
    return {**({"system": system} if system else {}), "messages": said}


SPOKEN: Mapping[str, Spoken] = MappingProxyType(
    {
        OpenAIChat.name: Spoken(lambda case: {"messages": _listed(case)}, read_chat),
        OpenAIResponses.name: Spoken(lambda case: {"input": _listed(case)}, read_responses),
        AnthropicMessages.name: Spoken(_messages, read_messages),
        GeminiGenerate.name: Spoken(lambda case: gemini_fields(case.messages), read_gemini),
    }
)
"""The dialects in which an eval asks, in the order in which they are tried."""


def dialect_of(content: Content, spoken: Collection[str] = tuple(SPOKEN)) -> str:
    """Return the dialect in which the version is asked: the first of ours that can carry it and
    that its vendor speaks. Raises `InvalidArgument` if there is none."""
    reasons: list[str] = []
    for name in SPOKEN:
        if name not in spoken:
            continue
        try:
            DIALECTS[name].compile(content)
        except RequestError as error:
            reasons.append(f"{name}: {error.hint or error.message}")
        else:
            return name
    why = f" ({'; '.join(reasons)})" if reasons else ""
    raise InvalidArgument(f"no dialect of its vendor can ask this version anything{why}")

"""All dialects, by name and by path."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from proxy.dialects.adopt import Adopter
from proxy.dialects.adopt_anthropic import AdoptMessages
from proxy.dialects.adopt_gemini import AdoptGenerate
from proxy.dialects.adopt_openai import AdoptChat, AdoptResponses
from proxy.dialects.anthropic_messages import AnthropicMessages
from proxy.dialects.base import Dialect
from proxy.dialects.gemini_generate import GeminiGenerate
from proxy.dialects.openai_chat import OpenAIChat
from proxy.dialects.openai_completions import OpenAICompletions
from proxy.dialects.openai_embeddings import OpenAIEmbeddings
from proxy.dialects.openai_responses import OpenAIResponses

ADOPTERS: Mapping[str, Adopter] = MappingProxyType(
    {
        OpenAIChat.name: AdoptChat(),
        OpenAIResponses.name: AdoptResponses(),
        AnthropicMessages.name: AdoptMessages(),
        GeminiGenerate.name: AdoptGenerate(),
    }
)
"""By dialect: how a version is made of what an app sends today."""

DEFAULT: Dialect = OpenAIChat()

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            DEFAULT,
            OpenAIResponses(),
            OpenAIEmbeddings(),
            OpenAICompletions(),
            AnthropicMessages(),
            GeminiGenerate(),
        )
    }
)

GENERATING: Mapping[str, Dialect] = MappingProxyType(
    {name: one for name, one in DIALECTS.items() if name != OpenAIEmbeddings.name}
)
"""Those in which a version's generation fields mean something. Embeddings carry any version, so
they do not count where it is asked whether there is a dialect that can carry one."""

"""OpenAI's legacy completions: `POST /v1/completions`, a prompt that is text and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.dialects import neutral, policy
from proxy.dialects import openai_bare as bare
from proxy.dialects.base import Observer, Parameter
from proxy.dialects.chat_answer import ChatDocument, ChatStream
from proxy.versions.content import Content

PARAMETERS = (
    Parameter("temperature", "temperature"),
    Parameter("top_p", "top_p"),
    Parameter("max_output_tokens", "max_tokens"),
    Parameter("stop", "stop"),
    Parameter("seed", "seed"),
    Parameter("presence_penalty", "presence_penalty"),
    Parameter("frequency_penalty", "frequency_penalty"),
)


class OpenAICompletions(bare.Bare):
    name = "openai.completions"
    path = "/v1/completions"
    said = "prompt"

    def compile(self, content: Content) -> bare.CompiledBare:
        values = neutral.neutral_values(content.generation)
        table = policy.settings(content, self.name, PARAMETERS, values, self.own)
        return bare.CompiledBare(content, table, self.said)

    def advice(self, content: Content) -> Iterator[str]:
        left_out = {
            "its system prompt": content.system,
            "its messages": content.messages or content.user,
            "its tools": content.tools,
        }
        if named := [name for name, value in left_out.items() if value]:
            yield f"the prompt is the app's own: {', '.join(named)} will not go out"

    def observer(self, *, stream: bool) -> Observer:
        return ChatStream() if stream else ChatDocument()

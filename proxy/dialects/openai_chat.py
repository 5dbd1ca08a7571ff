"""OpenAI Chat Completions: `POST /v1/chat/completions`, spoken by many vendors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.dialects import messages, neutral, policy
from proxy.dialects import openai_common as common
from proxy.dialects.base import (
    Asked,
    Composed,
    JsonValue,
    Observer,
    Parameter,
)
from proxy.dialects.chat_answer import ChatDocument, ChatStream
from proxy.dialects.openai_deployments import Deployable
from proxy.dialects.raw import Raw
from proxy.dialects.text import Template, Values, bind, escape, template
from proxy.dialects.tools import (
    AppTools,
    brings_tools,
    extend_tools,
    only_with_tools,
    without_stray_choice,
)
from proxy.versions.content import Content, SystemRule, Tool, Variable

PARAMETERS = (
    Parameter("temperature", "temperature"),
    Parameter("top_p", "top_p"),
    Parameter("max_output_tokens", "max_completion_tokens", ("max_tokens",)),
    Parameter("stop", "stop"),
    Parameter("seed", "seed"),
    Parameter("presence_penalty", "presence_penalty"),
    Parameter("frequency_penalty", "frequency_penalty"),
    Parameter("response_format", "response_format"),
    Parameter("tool_choice", "tool_choice"),
    Parameter("parallel_tool_calls", "parallel_tool_calls"),
)

OWN = ("model", "messages", "proxy_variables")


def values(content: Content) -> dict[str, JsonValue]:
    """Return the generation fields that `content` sets, in this dialect's shapes."""
    plain = neutral.neutral_values(content.generation)
    if (wanted := content.generation.response_format) is not None:
        plain["response_format"] = {"type": wanted.type}
        if wanted.type == "json_schema":
            plain["response_format"]["json_schema"] = neutral.json_schema(wanted)
    if content.generation.tool_choice is not None:
        plain["tool_choice"] = common.tool_choice(content, nested=True)
    return plain


def tool(definition: Tool) -> JsonValue:
    return {
        "type": "function",
        "function": definition.model_dump(mode="json", exclude_defaults=True),
    }


@dataclass(frozen=True, slots=True)
class CompiledChat:
    """`rule` is that for the app's system prompts. `toolless` is for requests without a tool, where
    that makes a difference."""

    variables: Mapping[str, Variable]
    rule: SystemRule
    table: policy.Settings
    toolless: policy.Settings | None
    tools: AppTools
    opening: bytes
    system: Template
    own: messages.OwnMessages

    def compose(self, asked: Asked) -> Composed:
        values = bind(self.variables, asked.variables)
        sent = messages.said(asked.fields, optional=self.own.has_user)
        said = messages.sort_messages(sent)
        messages.obey(self.rule, bool(said.system))
        fields = without_stray_choice(self.tools, asked.fields)
        table = self.table
        if self.toolless is not None and not brings_tools(asked.fields):
            table = self.toolless
        kept = policy.walk(fields, table)
        if fields is not asked.fields:
            kept.dropped.append("tool_choice")
        if said.system and self.rule == "replace":
            kept.dropped.append("messages.system")
        tools = extend_tools(self.tools, asked.fields, kept)
        system = self._leading(values, said.system)
        rest = (
            table.pinned,
            tools,
            b',"messages":[',
            *self.own.arrange(values, said.others, system),
            b"]",
        )
        return Composed(
            self.opening,
            (*rest, *kept.pieces, b"}"),
            tuple(kept.dropped),
            tuple(kept.app_fields),
        )

    def _leading(self, values: Values, theirs: Sequence[Raw | memoryview]) -> bytes:
        """Return the one system message, or nothing."""
        text = self.system.fill(values)
        if theirs and self.rule == "append":
            parts = (part for message in theirs for part in messages.texts_of(message))
            text = b"\\n\\n".join(filter(None, (text, *map(escape, parts))))
        return b'{"role":"system","content":"%b"}' % text if text else b""


class OpenAIChat(Deployable):
    name = "openai.chat"
    path = "/v1/chat/completions"

    def compile(self, content: Content) -> CompiledChat:
        tools = AppTools.of(content, tool, nested=True)
        table = policy.settings(
            content, self.name, PARAMETERS, values(content), (*OWN, *tools.own_fields)
        )
        return CompiledChat(
            content.variables,
            content.policy.system,
            table,
            only_with_tools(content, table),
            tools,
            b'{"model":',
            template(content.system),
            messages.OwnMessages.of(content),
        )

    def observer(self, *, stream: bool) -> Observer:
        return ChatStream() if stream else ChatDocument()

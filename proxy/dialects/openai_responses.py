"""OpenAI Responses: `POST /v1/responses`, with `prompt` objects resolved by the proxy.

The version's system prompt goes out as `instructions`, on every turn: OpenAI does not carry them
over from a `previous_response_id`. Few-shot messages go in front of the input of a first turn
only, because the vendor keeps them in the history of the following ones. The user's message of a
version goes out on every turn on which the app says nothing else.

A count of input tokens is composed as the call is, without what has none. A conversation is made
compact under the version's instructions; few-shot messages come in front of the next call anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from proxy.dialects import messages, neutral, policy
from proxy.dialects import openai_common as common
from proxy.dialects.base import (
    NO_HEADERS,
    Asked,
    Composed,
    Endpoint,
    Headers,
    JsonValue,
    Observer,
    Parameter,
)
from proxy.dialects.members import OwnMembers, merge_members
from proxy.dialects.raw import (
    NULL,
    Buffer,
    Raw,
    is_null,
    read_as,
    read_nested,
    read_object,
    starts_list,
)
from proxy.dialects.responses_answer import ResponsesDocument, ResponsesStream
from proxy.dialects.text import Template, Values, bind, escape, template
from proxy.dialects.told import TokenCount
from proxy.dialects.tools import (
    AppTools,
    brings_tools,
    extend_tools,
    only_with_tools,
    without_stray_choice,
)
from proxy.errors import InvalidRequest, RequestError
from proxy.versions.content import Content, Tool

PARAMETERS = (
    Parameter("temperature", "temperature"),
    Parameter("top_p", "top_p"),
    Parameter("max_output_tokens", "max_output_tokens"),
    Parameter("tool_choice", "tool_choice"),
    Parameter("parallel_tool_calls", "parallel_tool_calls"),
)

COUNT, COMPACT = "count", "compact"

# What has tokens, and what is taken where a conversation is made compact.
_TAKEN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        COUNT: frozenset(
            {"tool_choice", "parallel_tool_calls", "reasoning", "truncation", "personality"}
        ),
        COMPACT: frozenset(
            {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "service_tier"}
        ),
    }
)

OWN = ("model", "input", "instructions", "prompt", "proxy_variables", "text")

_STRING = msgspec.json.Decoder(str)


def tool(definition: Tool) -> JsonValue:
    # `strict` is a required key of the flat form; null leaves it to the vendor.
    flat = definition.model_dump(mode="json", exclude_defaults=True)
    return {"type": "function", "parameters": {}, "strict": None, **flat}


@dataclass(frozen=True, slots=True)
class CompiledResponses:
    """`tables` are by kind of call, `toolless` those for requests without a tool where that makes a
    difference."""

    content: Content
    tables: Mapping[str, policy.Settings]
    toolless: Mapping[str, policy.Settings]
    tools: AppTools
    text: OwnMembers
    opening: bytes
    system: Template
    own: messages.OwnMessages

    def compose(self, asked: Asked) -> Composed:
        values = bind(self.content.variables, asked.variables)
        theirs, given = self._sort_input(asked)
        fields = without_stray_choice(self.tools, asked.fields)
        table = self.tables[asked.kind]
        if asked.kind in self.toolless and not brings_tools(asked.fields):
            table = self.toolless[asked.kind]
        kept = policy.walk(fields, table)
        if fields is not asked.fields:
            kept.dropped.append("tool_choice")
        instructions = self._instructions(asked, values, theirs, kept)
        more = self._tools_and_text(asked, kept)
        rest = (table.pinned, instructions, *more, *self._input(asked, values, given))
        return Composed(
            self.opening,
            (*rest, *kept.pieces, b"}"),
            tuple(kept.dropped),
            tuple(kept.app_fields),
        )

    def _tools_and_text(self, asked: Asked, kept: policy.Kept) -> tuple[bytes, ...]:
        if asked.kind != COMPACT:
            tools = extend_tools(self.tools, asked.fields, kept)
            return tools, merge_members(self.text, asked.fields, kept)
        sent = (name for name in ("tools", "text") if not is_null(asked.fields.get(name, NULL)))
        kept.dropped += sent
        return ()

    def _sort_input(self, asked: Asked) -> tuple[Sequence[Raw | memoryview], Sequence[Buffer]]:
        """Return the system items of the input, and the pieces of what else is in it."""
        raw = asked.fields.get("input")
        if raw is None or is_null(raw):
            return (), ()
        if not starts_list(raw):
            text = read_as(_STRING, raw, "input must be a string or a list")
            if not text and self.own.has_user:
                return (), ()
            return (), (b'{"role":"user","content":', msgspec.json.encode(text), b"}")
        said = messages.sort_messages(raw)
        return said.system, said.others

    def _input(self, asked: Asked, values: Values, given: Sequence[Buffer]) -> tuple[Buffer, ...]:
        """Return `,"input":…`; a plain string stays one where nothing comes before it."""
        raw = asked.fields.get("input")
        continues = _continues(asked)
        plain = not self.own.has_user and (continues or self.own.few_shot.is_empty)
        if plain or asked.kind == COMPACT:
            if raw is None:
                return ()
            if not starts_list(raw):
                return (b',"input":', memoryview(raw))
        if asked.kind == COMPACT:
            return (b',"input":[', *given, b"]")
        said = self.own.arrange(values, tuple(given), continues=continues)
        return (b',"input":[', *said, b"]")

    def _instructions(
        self,
        asked: Asked,
        values: Values,
        items: Sequence[Raw | memoryview],
        kept: policy.Kept,
    ) -> bytes:
        raw = asked.fields.get("instructions")
        sent = raw is not None and not is_null(raw)
        rule = self.content.policy.system
        messages.obey(rule, sent or bool(items))
        text = self.system.fill(values)
        if rule == "append":
            text = _appended(text, raw if sent else None, items)
        else:
            kept.dropped += ["instructions"] * sent + ["input.system"] * bool(items)
        return b',"instructions":"%b"' % text if text else b""


def _appended(ours: bytes, raw: Raw | None, items: Sequence[Raw | memoryview]) -> bytes:
    theirs = [] if raw is None else [read_as(_STRING, raw, "instructions must be a string")]
    theirs += [text for item in items for text in messages.texts_of(item)]
    return b"\\n\\n".join(filter(None, (ours, *map(escape, theirs))))


def _continues(asked: Asked) -> bool:
    """Say whether the vendor already holds the beginning of this conversation."""
    named = (asked.fields.get(name) for name in ("previous_response_id", "conversation"))
    return any(raw is not None and not is_null(raw) for raw in named)


class _Endpoint(common.OpenAI):
    """What the kinds of calls have in common."""

    kind = ""

    def __init__(self) -> None:
        super().__init__()
        # Azure's older API has the model in the body here, unlike in its other calls.
        self.spellings = (*self.spellings, common.PREFIX + self.path.removeprefix("/v1"))

    def read(
        self,
        body: bytes | bytearray,
        *,
        depth: int,
        target: bytes = b"",
        headers: Headers = NO_HEADERS,
    ) -> Asked:
        fields = read_object(body, depth=depth)
        asked = Asked(
            neutral.read_address(fields),
            not self.kind and neutral.read_stream(fields),
            fields,
            neutral.read_variables(fields),
            kind=self.kind,
        )
        prompt = fields.get("prompt")
        return asked if prompt is None or is_null(prompt) else _with_prompt(asked, prompt)


class OpenAIResponses(_Endpoint):
    name = "openai.responses"
    path = "/v1/responses"

    def __init__(self) -> None:
        super().__init__()
        self.others: tuple[Endpoint, ...] = (InputTokens(self), Compact(self))

    @property
    def dialect(self) -> OpenAIResponses:
        return self

    def compile(self, content: Content) -> CompiledResponses:
        values = neutral.neutral_values(content.generation)
        values.pop("response_format", None)
        if content.generation.tool_choice is not None:
            values["tool_choice"] = common.tool_choice(content, nested=False)
        tools = AppTools.of(content, tool, nested=False)
        text = OwnMembers.of(content, self.name, "text", _format(content))
        table = policy.settings(
            content, self.name, PARAMETERS, values, (*OWN, *tools.own_fields), skipped=("text",)
        )
        tables = {
            kind: policy.narrowed(table, taken.__contains__) for kind, taken in _TAKEN.items()
        }
        tables[""] = table
        toolless = {kind: only_with_tools(content, one) for kind, one in tables.items()}
        return CompiledResponses(
            content,
            tables,
            {kind: one for kind, one in toolless.items() if one is not None},
            tools,
            text,
            b'{"model":',
            template(content.system),
            messages.OwnMessages.of(content),
        )

    def observer(self, *, stream: bool) -> Observer:
        return ResponsesStream() if stream else ResponsesDocument()

    def error_event(self, error: RequestError, request_id: str) -> bytes:
        event = {"type": "error", "error": common.described(error, request_id)}
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode(event)


class InputTokens(_Endpoint):
    path = "/v1/responses/input_tokens"
    kind = COUNT

    def __init__(self, dialect: OpenAIResponses) -> None:
        super().__init__()
        self.dialect = dialect

    def observer(self, *, stream: bool) -> Observer:
        return TokenCount("input_tokens")


class Compact(_Endpoint):
    path = "/v1/responses/compact"
    kind = COMPACT

    def __init__(self, dialect: OpenAIResponses) -> None:
        super().__init__()
        self.dialect = dialect

    def observer(self, *, stream: bool) -> Observer:
        return ResponsesDocument()


def _format(content: Content) -> JsonValue:
    """Return the version's structured output: flat, unlike in chat."""
    wanted = content.generation.response_format
    if wanted is None:
        return None
    described = neutral.json_schema(wanted) if wanted.type == "json_schema" else {}
    return {"type": wanted.type, **described}


def _with_prompt(asked: Asked, raw: Raw) -> Asked:
    prompt = read_nested(raw, "prompt")
    # What the vendor's own pages call it in places; SDKs in Python send whatever a table holds.
    named = "id" if "id" in prompt else "prompt_id"
    if named not in prompt:
        raise InvalidRequest("prompt.id is required")
    given = prompt.get("variables")
    variables = common.read_prompt_variables(given) if given is not None else {}
    return msgspec.structs.replace(
        asked,
        prompt_id=_text(prompt, named),
        prompt_version=_text(prompt, "version"),
        variables={**variables, **asked.variables},
    )


def _text(prompt: dict[str, Raw], name: str) -> str:
    raw = prompt.get(name)
    if raw is None or is_null(raw):
        return ""
    text = read_as(_STRING, raw, f"prompt.{name} must be a string")
    if len(text) > neutral.MAX_ADDRESS:
        raise InvalidRequest(f"prompt.{name} is too long")
    return text

"""Anthropic Messages: `POST /v1/messages`, and `count_tokens`, which is composed like the call.

Two versions of the API are live, told apart by a header. The newer one refuses sampling parameters,
so a version that sets some is refused there in our own words, and never sent to fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from proxy.dialects import anthropic_common as common
from proxy.dialects import anthropic_generation as generation
from proxy.dialects import messages, neutral, policy
from proxy.dialects.anthropic_answer import MessagesDocument, MessagesStream
from proxy.dialects.anthropic_cache import KEY, NO_MARKS, Marks
from proxy.dialects.anthropic_output import FIELD as OUTPUT
from proxy.dialects.anthropic_output import merge_output, written
from proxy.dialects.anthropic_system import leading, sent_system
from proxy.dialects.anthropic_tools import OwnChoice, marked, merge_choice, tool
from proxy.dialects.base import (
    NO_HEADERS,
    Asked,
    Composed,
    Endpoint,
    FixedPath,
    Headers,
    JsonValue,
    Observer,
    Rows,
)
from proxy.dialects.members import OwnMembers
from proxy.dialects.raw import Buffer, Fields, is_null, list_inner, read_as, read_object
from proxy.dialects.text import Template, Values, bind, template
from proxy.dialects.told import TokenCount
from proxy.dialects.tools import AppTools, extend_tools, without_stray_choice
from proxy.errors import InvalidRequest, RequestError, WrongDialect
from proxy.settings import Auth
from proxy.versions.content import Content


class _Thread(msgspec.Struct, gc=False):
    type: str = ""


_THREAD = msgspec.json.Decoder(_Thread)


@dataclass(frozen=True, slots=True)
class CompiledMessages:
    """`sampling` are the fields that the newer API refuses, `marked` the tools with a cache
    breakpoint in the last one."""

    content: Content
    tables: generation.Tables
    sampling: tuple[str, ...]
    tools: AppTools
    marked: AppTools
    choice: OwnChoice
    output: OwnMembers
    marks: Marks
    opening: bytes
    system: Template
    own: messages.OwnMessages
    headers: tuple[tuple[bytes, bytes], ...]

    def compose(self, asked: Asked) -> Composed:
        if self.sampling and not asked.kind and asked.api >= common.WITHOUT_SAMPLING:
            raise WrongDialect(hint=generation.not_there(self.sampling))
        values = bind(self.content.variables, asked.variables)
        continues = _continues(asked.fields)
        marks = self._marks(asked.fields, continues) if self.marks else NO_MARKS
        fields = without_stray_choice(self.tools, asked.fields)
        table = self.tables[asked.kind, marks.whole or not self.marks.whole]
        kept = policy.walk(fields, table)
        if fields is not asked.fields:
            kept.dropped.append("tool_choice")
        system, others = self._said(asked.fields, values, marks, kept, continues)
        tools = self._tools(fields, marks, kept, continues)
        output = merge_output(self.output, fields, kept)
        pieces = (table.pinned, tools, system, output, b',"messages":[', *others, b"]")
        return Composed(
            self.opening,
            (*pieces, *kept.pieces, b"}"),
            tuple(kept.dropped),
            tuple(kept.app_fields),
            self.headers,
        )

    def _said(
        self, fields: Fields, values: Values, marks: Marks, kept: policy.Kept, continues: bool
    ) -> tuple[bytes, tuple[Buffer, ...]]:
        """Return the system prompt, and the messages without brackets."""
        rule = self.content.policy.system
        raw = messages.said(fields, optional=self.own.has_user)
        sent, said = sent_system(fields.get("system")), messages.sort_messages(raw)
        messages.obey(rule, sent is not None or bool(said.system))
        others: tuple[Buffer, ...] = said.others
        if rule != "append":
            kept.dropped += ["system"] * (sent is not None) + ["messages.system"] * bool(
                said.system
            )
            sent = None
        elif said.system:
            others = (list_inner(raw),)
        system = b"" if continues else leading(self.system.fill(values), sent, marks.system)
        return system, self.own.arrange(values, others, continues=continues)

    def _tools(self, fields: Fields, marks: Marks, kept: policy.Kept, continues: bool) -> bytes:
        """Return tools and tool choice."""
        ours = self.marked if marks.tools else self.tools
        tools = b"" if continues else extend_tools(ours, fields, kept)
        has_tools = continues or b"{" in tools
        chosen = merge_choice(self.choice, fields.get("tool_choice"), kept, has_tools=has_tools)
        return tools + chosen

    def _marks(self, fields: Fields, continues: bool) -> Marks:
        """Return the version's cache breakpoints that the app leaves room for."""
        names = ["messages"]
        if self.content.policy.system == "append":
            names.append("system")
        if self.content.policy.tools != "pinned" or not self.tools.definitions:
            names.append("tools")
        sent = fields.get(KEY)
        others = sent is not None and not is_null(sent) and not self.marks.whole
        marks = self.marks.fitting((fields[n] for n in names if n in fields), others=others)
        return Marks(marks.whole, b"", b"") if continues else marks


def _continues(fields: Fields) -> bool:
    """Say whether the vendor holds the beginning: it takes system prompt and tools from there, and
    refuses a request that repeats them. Raises `InvalidRequest` for such a one."""
    raw = fields.get("thread")
    if raw is None or is_null(raw):
        return False
    if read_as(_THREAD, raw, "thread must be an object").type != "continue":
        return False
    for name in ("system", "tools"):
        if name in fields and not is_null(fields[name]):
            raise InvalidRequest(f"a thread that is continued takes no {name}")
    return True


class _Endpoint(FixedPath):
    """What the two kinds of calls have in common."""

    kind = ""

    def read(
        self,
        body: bytes | bytearray,
        *,
        depth: int,
        target: bytes = b"",
        headers: Headers = NO_HEADERS,
    ) -> Asked:
        fields = read_object(body, depth=depth)
        return Asked(
            neutral.read_address(fields),
            not self.kind and neutral.read_stream(fields),
            fields,
            neutral.read_variables(fields),
            kind=self.kind,
            api=headers.get(common.API, b"").decode("latin-1"),
        )


class AnthropicMessages(_Endpoint):
    name = generation.NAME
    path = "/v1/messages"
    auth: Auth = "x-api-key"
    mark = common.API
    users = ("metadata.user_id",)
    prefixes: tuple[bytes, ...] = ()
    query_keys: Mapping[bytes, bytes] = MappingProxyType({})
    # Not all that begins like this: which workspace pays is whose key it is.
    forwarded_prefixes = (
        *(common.API, common.BETA, b"anthropic-user-profile-id", b"anthropic-dangerous-"),
        b"x-stainless-",
    )
    added_headers = ((common.API, common.USUAL_API),)

    def __init__(self) -> None:
        super().__init__()
        self.others: tuple[Endpoint, ...] = (CountTokens(self),)

    @property
    def dialect(self) -> AnthropicMessages:
        return self

    def compile(self, content: Content) -> CompiledMessages:
        extra = content.generation.extra.get(generation.NAME, {})
        tools = AppTools.of(content, tool, nested=False)
        marks = Marks.of(extra)
        return CompiledMessages(
            content,
            generation.tables(content, tools.own_fields),
            generation.sampling(content),
            tools,
            marked(tools, marks.tools),
            OwnChoice.of(content),
            OwnMembers.of(content, generation.NAME, OUTPUT, written(content)),
            marks,
            b'{"model":',
            template(content.system),
            messages.OwnMessages.of(content),
            generation.added_headers(extra.get("betas")),
        )

    def advice(self, content: Content) -> Iterator[str]:
        return generation.advice(content)

    def observer(self, *, stream: bool) -> Observer:
        return MessagesStream() if stream else MessagesDocument()

    def models_path(self, prefix: str) -> str:
        return "/v1/models"

    def listed(self, rows: Rows) -> JsonValue:
        return common.listed(rows)

    def described(self, row: Mapping[str, str]) -> JsonValue:
        return common.described(row)

    def error_body(self, error: RequestError, request_id: str) -> bytes:
        return msgspec.json.encode(common.error_object(error, request_id))

    def error_event(self, error: RequestError, request_id: str) -> bytes:
        return common.error_event(error, request_id)


class CountTokens(_Endpoint):
    """Composed as the call is, but for what has no tokens."""

    path = "/v1/messages/count_tokens"
    kind = generation.COUNT

    def __init__(self, dialect: AnthropicMessages) -> None:
        super().__init__()
        self.dialect = dialect

    def observer(self, *, stream: bool) -> Observer:
        return TokenCount("input_tokens")

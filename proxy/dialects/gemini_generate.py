"""Gemini: `generateContent` and its stream, token counts that are composed like the call, and
embeddings. The model is in the path, on Vertex too, so a fallback changes nothing in the body.

Names are accepted in camelCase and in snake_case, and are one field, where the proxy has to look at
them; they go out in camelCase then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from proxy.dialects import gemini_common as common
from proxy.dialects import gemini_generation as generation
from proxy.dialects import messages, neutral, policy
from proxy.dialects.base import (
    NO_HEADERS,
    Asked,
    Composed,
    Endpoint,
    Headers,
    JsonValue,
    Observer,
    Rows,
    WithoutModel,
)
from proxy.dialects.gemini_answer import (
    EmbeddingDocument,
    GenerateDocument,
    GenerateStream,
)
from proxy.dialects.gemini_embedding import PLACE, CompiledEmbedding, ModelInPlaces
from proxy.dialects.gemini_generation import FIELD as CONFIG
from proxy.dialects.gemini_generation import merge_config
from proxy.dialects.gemini_names import one_spelling, spellings
from proxy.dialects.gemini_paths import Place, join_path, list_path, split_path
from proxy.dialects.gemini_system import FIELD as SYSTEM
from proxy.dialects.gemini_system import SPELLING, contents, sent_system, with_system
from proxy.dialects.gemini_tools import CONFIG as TOOL_CONFIG
from proxy.dialects.gemini_tools import OwnChoice, extend_tools, merge_choice, tool
from proxy.dialects.raw import Buffer, Fields, is_null, key_bytes, read_nested, read_object
from proxy.dialects.text import Template, Values, bind, check_declared, template
from proxy.dialects.told import TokenCount
from proxy.dialects.tools import AppTools
from proxy.errors import InvalidRequest, OverrideRejected, RequestError
from proxy.settings import Auth
from proxy.versions.content import Content

EMBED, EMBED_BATCH = "embed", "embed_batch"
# Token counts; in one of the second kind the app wrapped what the call would be.
COUNT, WRAPPED = "count", "count_wrapped"
WRAPPER = "generateContentRequest"

VERTEX = "vertex"
"""What `Asked.api` is for apps that speak Vertex: a token count has another shape there."""

CACHE = "cachedContent"

_KNOWN = spellings((*generation.OWN, *generation.TOP, WRAPPER))


@dataclass(frozen=True, slots=True)
class CompiledGemini:
    """`table` is of the fields at the top of a body, `counted` the same for counts on Vertex, which
    know none that a version sets there."""

    content: Content
    table: policy.Settings
    counted: policy.Settings
    config: generation.OwnConfig
    tools: AppTools
    choice: OwnChoice
    system: Template
    own: messages.OwnMessages
    embedding: CompiledEmbedding

    def compose(self, asked: Asked) -> Composed:
        if asked.kind in (EMBED, EMBED_BATCH):
            check_declared(self.content.variables, asked.variables)
            return self.embedding.compose(asked.fields, batch=asked.kind == EMBED_BATCH)
        values = bind(self.content.variables, asked.variables)
        flat = bool(asked.kind) and asked.api == VERTEX
        table = self.counted if flat else self.table
        fields = asked.fields
        kept = policy.walk(fields, table)
        system = self._system(fields, values, kept)
        tools = extend_tools(self.tools, fields, kept)
        said = contents(fields, self.own, values)
        config = merge_config(self.config, fields.get(CONFIG), kept)
        # Of a choice, counts on Vertex know nothing.
        chooses = b"{" in tools and not flat
        choice = merge_choice(self.choice, fields.get(TOOL_CONFIG), kept, has_tools=chooses)
        cache = self._cache(fields, kept)
        before = system + tools
        after: list[Buffer] = [*filter(None, (config, choice, table.pinned, cache)), *kept.pieces]
        told = (tuple(kept.dropped), tuple(kept.app_fields))
        if asked.kind and not flat and (asked.kind == WRAPPED or before or after):
            opening = b'{"%b":{"model":' % WRAPPER.encode()
            return ModelInPlaces(opening, (PLACE, before, b",", *said, *after, b"}}"), *told)
        leading = b"{%b," % before[1:] if before else b"{"
        return WithoutModel(b"", (leading, *said, *after, b"}"), *told)

    def _system(self, fields: Fields, values: Values, kept: policy.Kept) -> bytes:
        """Return `,"systemInstruction":…`, or nothing."""
        theirs = sent_system(fields)
        messages.obey(self.content.policy.system, theirs is not None)
        if theirs is not None and self.content.policy.system != "append":
            kept.dropped.append(SYSTEM)
            theirs = None
        return with_system(self.system.fill(values), theirs)

    def _cache(self, fields: Fields, kept: policy.Kept) -> bytes:
        """Return `,"cachedContent":…`. It brings a system prompt, tools and messages of its own,
        and the vendor takes no others beside it: it passes where the version has none and leaves
        them to the app. Raises `OverrideRejected`."""
        raw = fields.get(CACHE)
        if raw is None or is_null(raw):
            return b""
        ours, rules = self.content, self.content.policy
        said = ours.system or ours.messages or ours.user
        own = said or ours.tools or ours.generation.tool_choice is not None
        if own or rules.system != "append" or rules.tools == "reject":
            raise OverrideRejected(hint=f"{CACHE} has a system prompt and tools of its own")
        kept.app_fields.append(CACHE)
        return key_bytes(CACHE) + bytes(raw)


class _Endpoint:
    """A method of a model. `path` is that of the developer API; any other that names a model is
    served as well."""

    method = ""
    kind = ""
    stream = False

    def __init__(self) -> None:
        self.path = f"/v1beta/models/NAME:{self.method}"
        self.spellings: tuple[str, ...] = ()
        self._suffix = b":" + self.method.encode()

    def serves(self, path: bytes) -> bool:
        return path.endswith(self._suffix) and split_path(path) is not None

    def read(
        self,
        body: bytes | bytearray,
        *,
        depth: int,
        target: bytes = b"",
        headers: Headers = NO_HEADERS,
    ) -> Asked:
        place = _place(target)
        if len(place.name) > neutral.MAX_ADDRESS:
            raise InvalidRequest("the model's name is too long")
        fields = one_spelling(read_object(body, depth=depth), _KNOWN)
        kind, variables = self.kind, neutral.read_variables(fields)
        wrapped = fields.get(WRAPPER) if kind == COUNT else None
        if wrapped is not None and not is_null(wrapped):
            kind, fields = WRAPPED, one_spelling(read_nested(wrapped, WRAPPER), _KNOWN)
        api = VERTEX if place.scope else ""
        return Asked(place.name, self.stream, dict(fields), variables, kind=kind, api=api)

    def upstream_path(self, target: bytes, vendor_model: str, prefix: bytes = b"") -> bytes:
        return join_path(prefix, _place(target), vendor_model)


def _place(target: bytes) -> Place:
    place = split_path(target.partition(b"?")[0])
    assert place is not None, "only what an endpoint serves is read by it"
    return place


class GeminiGenerate(_Endpoint):
    name = generation.NAME
    method = "generateContent"
    auth: Auth = "x-goog-api-key"
    mark = b"x-goog-api-client"
    users: tuple[str, ...] = ()
    prefixes = (b"/v1beta", b"/v1alpha")
    query_keys: Mapping[bytes, bytes] = MappingProxyType(
        {b"key": b"x-goog-api-key", b"access_token": b"authorization"}
    )
    # Not all that begins with x-goog: which key, and who pays, is the operator's to say.
    forwarded_prefixes = (b"x-goog-api-client", b"x-server-timeout", b"x-vertex-ai-")
    added_headers: tuple[tuple[bytes, bytes], ...] = ()

    def __init__(self) -> None:
        super().__init__()
        kinds = (StreamGenerate, CountTokens, EmbedContent, BatchEmbedContents)
        self.others: tuple[Endpoint, ...] = tuple(kind(self) for kind in kinds)

    @property
    def dialect(self) -> GeminiGenerate:
        return self

    def compile(self, content: Content) -> CompiledGemini:
        generation.check_extras(content)
        tools = AppTools.of(content, tool, nested=False)
        table = generation.top_table(content)
        return CompiledGemini(
            content,
            table,
            policy.narrowed(table, lambda name: False),
            generation.OwnConfig.of(content),
            tools,
            OwnChoice.of(content, tools),
            template(content.system),
            messages.OwnMessages.of(content, SPELLING),
            CompiledEmbedding.of(content),
        )

    def advice(self, content: Content) -> Iterator[str]:
        return generation.advice(content)

    def observer(self, *, stream: bool) -> Observer:
        return GenerateStream() if stream else GenerateDocument()

    def models_path(self, prefix: str) -> str:
        return list_path(prefix, "/v1beta")

    def listed(self, rows: Rows) -> JsonValue:
        return common.listed(rows)

    def described(self, row: Mapping[str, str]) -> JsonValue:
        return common.described(row)

    def error_body(self, error: RequestError, request_id: str) -> bytes:
        return common.error_body(error, request_id)

    def error_event(self, error: RequestError, request_id: str) -> bytes:
        return common.error_event(error, request_id)


class _Other(_Endpoint):
    def __init__(self, dialect: GeminiGenerate) -> None:
        super().__init__()
        self.dialect = dialect


class StreamGenerate(_Other):
    """With `alt=sse` in the query the vendor answers with events, else with a list of chunks."""

    method = "streamGenerateContent"
    stream = True

    def observer(self, *, stream: bool) -> Observer:
        return self.dialect.observer(stream=stream)


class CountTokens(_Other):
    """Composed as the call is. The vendor takes what is said alone, or a whole call in a wrapper;
    on Vertex the call as it is, without some of its fields."""

    method = "countTokens"
    kind = COUNT

    def observer(self, *, stream: bool) -> Observer:
        return TokenCount("totalTokens")


class EmbedContent(_Other):
    method = "embedContent"
    kind = EMBED

    def observer(self, *, stream: bool) -> Observer:
        return EmbeddingDocument()


class BatchEmbedContents(_Other):
    method = "batchEmbedContents"
    kind = EMBED_BATCH

    def observer(self, *, stream: bool) -> Observer:
        return EmbeddingDocument()

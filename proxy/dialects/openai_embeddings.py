"""OpenAI Embeddings: `POST /v1/embeddings`, spoken by many vendors.

Nothing is generated, so none of a version's generation fields is sent: only its vendor model, and
the parameters that it sets for this dialect (`dimensions`, `encoding_format`).
"""

from __future__ import annotations

from proxy.dialects import openai_bare as bare
from proxy.dialects import openai_common as common
from proxy.dialects import policy
from proxy.dialects.base import NO_HEADERS, Asked, Headers, Observer
from proxy.dialects.chat_answer import ChatStream
from proxy.dialects.embeddings_answer import EmbeddingsDocument
from proxy.dialects.openai_deployments import Deployment
from proxy.errors import RequestError
from proxy.versions.content import Content

SAID = "input"
OWN = bare.own(SAID)


class OpenAIEmbeddings(common.OpenAI):
    name = "openai.embeddings"
    path = "/v1/embeddings"

    def __init__(self) -> None:
        super().__init__()
        self.others = (Deployment(self),)

    @property
    def dialect(self) -> OpenAIEmbeddings:
        return self

    def read(
        self,
        body: bytes | bytearray,
        *,
        depth: int,
        target: bytes = b"",
        headers: Headers = NO_HEADERS,
    ) -> Asked:
        return bare.read(body, depth, streams=False)

    def compile(self, content: Content) -> bare.CompiledBare:
        return bare.CompiledBare(content, policy.settings(content, self.name, (), {}, OWN), SAID)

    def observer(self, *, stream: bool) -> Observer:
        # The vendor streams none; should one, it would be as OpenAI's other streams are.
        return ChatStream() if stream else EmbeddingsDocument()

    def error_event(self, error: RequestError, request_id: str) -> bytes:
        return common.error_chunk(error, request_id)

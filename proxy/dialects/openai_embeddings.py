"""OpenAI Embeddings: `POST /v1/embeddings`, spoken by many vendors.

Nothing is generated, so none of a version's generation fields is sent: only its vendor model, and
the parameters that it sets for this dialect (`dimensions`, `encoding_format`).
"""

from __future__ import annotations

from proxy.dialects import openai_bare as bare
from proxy.dialects import policy
from proxy.dialects.base import Observer
from proxy.dialects.chat_answer import ChatStream
from proxy.dialects.embeddings_answer import EmbeddingsDocument
from proxy.versions.content import Content


class OpenAIEmbeddings(bare.Bare):
    name = "openai.embeddings"
    path = "/v1/embeddings"
    said = "input"
    streams = False

    def compile(self, content: Content) -> bare.CompiledBare:
        return bare.CompiledBare(
            content, policy.settings(content, self.name, (), {}, self.own), self.said
        )

    def observer(self, *, stream: bool) -> Observer:
        # The vendor streams none; should one, it would be as OpenAI's other streams are.
        return ChatStream() if stream else EmbeddingsDocument()

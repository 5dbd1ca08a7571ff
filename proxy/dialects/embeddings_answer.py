"""What an answer in the embeddings dialect tells about itself.

A batch of embeddings is often larger than what is held of an answer; model and usage stand behind
them, so the end is enough.
"""

from __future__ import annotations

from proxy.dialects.base import Seen
from proxy.dialects.chat_answer import learn
from proxy.dialects.sse import KEPT_BYTES, Document


class EmbeddingsDocument(Document):
    def __init__(self) -> None:
        super().__init__()
        self._end = b""

    def feed(self, chunk: bytes) -> None:
        super().feed(chunk)
        if len(chunk) >= KEPT_BYTES:
            self._end = chunk[-KEPT_BYTES:]
        else:
            self._end = (self._end + chunk)[-KEPT_BYTES:]

    def finish(self) -> Seen:
        seen = Seen()
        if not self.lost_sight:
            seen.ended = learn(seen, self.whole())
        else:
            seen.ended = learn(seen, _behind_the_list(self._end))
            seen.lost_sight = seen.input_tokens is None
        return seen


def _behind_the_list(end: bytes) -> bytes:
    """Return the members that stand behind the last list of a document, as one."""
    _, bracket, members = end.rpartition(b"]")
    return b"{" + members.lstrip(b" \t\r\n,") if bracket else b""

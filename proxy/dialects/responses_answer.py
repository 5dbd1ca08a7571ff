"""What an answer in the Responses dialect tells about itself."""

from __future__ import annotations

import msgspec

from proxy.dialects.base import Seen
from proxy.dialects.sse import Document, Tail
from proxy.dialects.told import told

FINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    model: str | None = None
    status: str | None = None
    usage: _Usage | None = None
    incomplete_details: _Incomplete | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    response: _Response | None = None


_RESPONSE = msgspec.json.Decoder(_Response)
_EVENT = msgspec.json.Decoder(_Event)


def _learn(seen: Seen, response: _Response) -> None:
    seen.served_model = response.model
    seen.finish_reason = response.status
    seen.failed = response.status == "failed"
    if response.incomplete_details is not None:
        seen.finish_reason = response.incomplete_details.reason or response.status
    if (usage := response.usage) is not None:
        seen.input_tokens = usage.input_tokens
        seen.output_tokens = usage.output_tokens
        if usage.input_tokens_details is not None:
            seen.cached_tokens = usage.input_tokens_details.cached_tokens


class ResponsesStream(Tail):
    def finish(self) -> Seen:
        seen = Seen()
        for text in self.data():
            self._take(seen, text)
        return seen

    def _take(self, seen: Seen, text: bytes) -> None:
        event = told(_EVENT, text)
        if event is None:
            return
        if event.response is not None:
            _learn(seen, event.response)
        seen.ended = seen.ended or event.type in FINAL
        if event.type == "error":
            seen.ended = seen.failed = True


class ResponsesDocument(Document):
    def finish(self) -> Seen:
        seen = Seen(lost_sight=self.lost_sight)
        response = told(_RESPONSE, self.whole())
        if response is not None:
            _learn(seen, response)
            seen.ended = True
        return seen

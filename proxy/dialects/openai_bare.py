"""What dialects without system prompt, messages and tools make of a version: of what it sets, only
its vendor model and parameters have a place in their bodies.

An app that calls such a dialect says all that is said itself. So a version with a system prompt is
served there all the same: by its model, and without the prompt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from proxy.dialects import neutral, policy
from proxy.dialects import openai_common as common
from proxy.dialects.base import NO_HEADERS, Asked, Compiled, Composed, Headers, Observer
from proxy.dialects.openai_deployments import Deployment
from proxy.dialects.raw import Buffer, key_bytes, read_object
from proxy.errors import RequestError, UnknownVariable
from proxy.versions.content import Content


@dataclass(frozen=True, slots=True)
class CompiledBare:
    """`said` is the field that holds what the app says; it goes out as it came."""

    content: Content
    table: policy.Settings
    said: str

    def compose(self, asked: Asked) -> Composed:
        if asked.variables.keys() - self.content.variables.keys():
            raise UnknownVariable()
        kept = policy.walk(asked.fields, self.table)
        raw = asked.fields.get(self.said)
        said: tuple[Buffer, ...] = () if raw is None else (key_bytes(self.said), raw)
        return Composed(
            b'{"model":',
            (self.table.pinned, *said, *kept.pieces, b"}"),
            tuple(kept.dropped),
            tuple(kept.app_fields),
        )


class Bare(common.OpenAI, ABC):
    """Such a dialect. `said` is the field that holds what the app says, `streams` whether the
    vendor streams answers."""

    name: str
    said: str
    streams = False

    def __init__(self) -> None:
        super().__init__()
        self.own = ("model", self.said, "proxy_variables")
        self.others = (Deployment(self),)

    @property
    def dialect(self) -> Self:
        return self

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
            self.streams and neutral.read_stream(fields),
            fields,
            neutral.read_variables(fields),
        )

    @abstractmethod
    def compile(self, content: Content) -> Compiled: ...

    @abstractmethod
    def observer(self, *, stream: bool) -> Observer: ...

    def error_event(self, error: RequestError, request_id: str) -> bytes:
        return common.error_chunk(error, request_id)

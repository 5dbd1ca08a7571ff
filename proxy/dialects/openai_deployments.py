"""Azure's paths for apps: `/openai/deployments/NAME/…`, where NAME is the model.

An app that uses the `AzureOpenAI` client keeps it. The body names a model as well, which Azure does
not look at, so neither do we.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self
from urllib.parse import unquote

import msgspec

from proxy.dialects import neutral
from proxy.dialects import openai_common as common
from proxy.dialects.base import NO_HEADERS, Asked, Compiled, Dialect, Headers, Observer
from proxy.dialects.neutral import MAX_ADDRESS
from proxy.dialects.raw import read_object
from proxy.errors import InvalidRequest, RequestError
from proxy.versions.content import Content

_BEFORE = "/openai/deployments/"


class Deployment:
    """The main call of `dialect`, under the path that Azure has for it."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        call = dialect.path.removeprefix("/v1")
        self.path = f"{_BEFORE}NAME{call}"
        self.spellings: tuple[str, ...] = ()
        self._before, self._behind = _BEFORE.encode(), call.encode()

    def serves(self, path: bytes) -> bool:
        around = path.startswith(self._before) and path.endswith(self._behind)
        return around and self._name(path) != b""

    def _name(self, path: bytes) -> bytes:
        """Return the model as it is spelled in `path`; empty if something else is there."""
        name = path[len(self._before) : -len(self._behind)]
        return b"" if b"/" in name else name

    def read(
        self,
        body: bytes | bytearray,
        *,
        depth: int,
        target: bytes = b"",
        headers: Headers = NO_HEADERS,
    ) -> Asked:
        asked = self.dialect.read(body, depth=depth, target=target, headers=headers)
        address = unquote(self._name(target.partition(b"?")[0]).decode("ascii"))
        if len(address) > MAX_ADDRESS:
            raise InvalidRequest("model is too long")
        return msgspec.structs.replace(asked, address=address)

    def upstream_path(self, target: bytes, vendor_model: str, prefix: bytes = b"") -> bytes:
        return prefix + self.dialect.upstream_path(target, vendor_model)

    def observer(self, *, stream: bool) -> Observer:
        return self.dialect.observer(stream=stream)


class Deployable(common.OpenAI, ABC):
    """A dialect of OpenAI's whose call Azure has as a deployment's too. `streams` says whether the
    vendor streams answers."""

    name: str
    streams = True

    def __init__(self) -> None:
        super().__init__()
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

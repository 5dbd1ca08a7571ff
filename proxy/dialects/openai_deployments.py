"""Azure's paths for apps: `/openai/deployments/NAME/…`, where NAME is the model.

An app that uses the `AzureOpenAI` client keeps it. The body names a model as well, which Azure does
not look at, so neither do we.
"""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from proxy.dialects.base import NO_HEADERS, Asked, Dialect, Headers, Observer
from proxy.dialects.neutral import MAX_ADDRESS
from proxy.errors import InvalidRequest

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

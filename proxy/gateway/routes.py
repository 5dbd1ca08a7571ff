"""What is served under which path on the data listener. Pure."""

from __future__ import annotations

import msgspec

from proxy.dialects.base import Dialect
from proxy.dialects.registry import DEFAULT, DIALECTS
from proxy.errors import MethodNotAllowed, NotFound
from proxy.http.head import Head
from proxy.routing.address import Grant

MODELS = b"/v1/models"


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A request whose head was let through. `dialect` None: the list of models, or one of it."""

    grant: Grant
    dialect: Dialect | None


_BY_PATH = {dialect.path.encode(): dialect for dialect in DIALECTS.values()}
_WITHOUT_PREFIX = {path.removeprefix(b"/v1") for path in (*_BY_PATH, MODELS)}


def find_dialect(head: Head) -> Dialect | None:
    """Return the dialect that `head` calls, None for the models.

    Raises `NotFound` or `MethodNotAllowed`.
    """
    path = head.path
    dialect = _BY_PATH.get(path)
    if dialect is not None:
        if head.method != b"POST":
            raise MethodNotAllowed()
        return dialect
    if _is_models(path):
        if head.method != b"GET":
            raise MethodNotAllowed()
        return None
    if path in _WITHOUT_PREFIX:
        raise NotFound(hint="an OpenAI SDK's base_url must end in /v1")
    raise NotFound()


def allowed(head: Head) -> bytes:
    """Return the header line that says which methods the path of `head` takes."""
    if head.path in _BY_PATH:
        return b"allow: POST\r\n"
    return b"allow: GET\r\n" if _is_models(head.path) else b"allow: GET, POST\r\n"


def _is_models(path: bytes) -> bool:
    return path == MODELS or path.startswith(MODELS + b"/")


def dialect_of(head: Head) -> Dialect:
    """Return the dialect in whose shape an error for `head` is to be written."""
    return _BY_PATH.get(head.path, DEFAULT)

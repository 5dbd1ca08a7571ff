"""What is served under which path on the data listener. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

import msgspec

from proxy.dialects.base import NAME, Dialect, Endpoint
from proxy.dialects.registry import DEFAULT, DIALECTS
from proxy.errors import MethodNotAllowed, NotFound
from proxy.gateway.vendors import VendorRoute
from proxy.http.head import Head
from proxy.routing.address import Grant

MODELS = b"/v1/models"

# As apps of Groq and Azure spell it.
_MODELS = (MODELS, b"/openai/v1/models", b"/openai/models")

MISSING = "an OpenAI SDK's base_url must end in /v1"
TWICE = "an Anthropic SDK's base_url must not end in /v1"
DOUBLED = "an SDK that adds /v1 by itself gets a base URL without it"
SLASHES = "it has a slash too many"
ELSEWHERE = "other paths are passed on to a vendor only where models.unmanaged says so"
NO_CALL = "a model has no call of that name"
VERSIONED = "a Google SDK's base_url must not end in a version of the API"

_TWO_VERSIONS = re.compile(rb"/v[0-9][a-z0-9]*/v[0-9][a-z0-9]*/.*models/")
_SLASHES = re.compile(rb"/{2,}")


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A request whose head was let through. `endpoint` None: the list of models, or one of it;
    or what is passed `through` to a vendor, unread; `path` is the dialect's for that, if there is
    one."""

    grant: Grant
    endpoint: Endpoint | None
    through: VendorRoute | None = None
    path: bytes = b""


class Table:
    """Endpoints by path. Nearly all have one that never changes, and are looked up; those whose
    path holds a name are asked in turn."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        dialects = tuple(dialects)
        every = [one for dialect in dialects for one in (dialect, *dialect.others)]
        fixed = {one.path.encode(): one for one in every if NAME not in one.path}
        spelled = {path.encode(): one for one in every for path in one.spellings}
        self._by_path = {**spelled, **fixed}
        self._named = tuple(one for one in every if NAME in one.path)
        self._marks = {dialect.mark: dialect for dialect in dialects if dialect.mark}
        self._prefixes = {prefix: one for one in dialects for prefix in one.prefixes}
        self._lists = (*_MODELS, *(prefix + b"/models" for prefix in self._prefixes))
        paths = {path: one.dialect for path, one in fixed.items()}
        self._hints = {
            **{b"/v1" + path: TWICE for path, dialect in paths.items() if dialect.mark},
            **{path.removeprefix(b"/v1"): MISSING for path, d in paths.items() if not d.mark},
            **{b"/v1" + path: DOUBLED for path, dialect in paths.items() if not dialect.mark},
            MODELS.removeprefix(b"/v1"): MISSING,
            b"/v1" + MODELS: TWICE,
        }

    def endpoint(self, path: bytes) -> Endpoint | None:
        found = self._by_path.get(path)
        if found is None:
            found = next((one for one in self._named if one.serves(path)), None)
        return found

    def find(self, head: Head) -> Endpoint | None:
        """Return the endpoint that `head` calls, None for the models.

        Raises `NotFound` or `MethodNotAllowed`.
        """
        path = head.path
        endpoint = self.endpoint(path)
        if endpoint is None and self.listed(path) is None:
            raise NotFound(hint=self._hint(path) or ELSEWHERE)
        if endpoint is None and head.method == b"POST" and b":" in path:
            raise NotFound(hint=NO_CALL)
        if head.method != (b"GET" if endpoint is None else b"POST"):
            raise MethodNotAllowed()
        return endpoint

    def _hint(self, path: bytes) -> str:
        if _TWO_VERSIONS.match(path):
            return VERSIONED
        if path.startswith(b"/v1/openai/"):
            return DOUBLED
        once = _SLASHES.sub(b"/", path).rstrip(b"/")
        if once != path and self.endpoint(once) is not None:
            return SLASHES
        return self._hints.get(path, "")

    def dialect(self, head: Head) -> Dialect:
        """Return the dialect in whose shape an answer of ours to `head` is to be written."""
        endpoint = self.endpoint(head.path)
        if endpoint is not None:
            return endpoint.dialect
        for prefix, dialect in self._prefixes.items():
            if head.path.startswith(prefix):
                return dialect
        marks = self._marks.items()
        return next((dialect for mark, dialect in marks if mark in head.fields), DEFAULT)

    def listed(self, path: bytes) -> str | None:
        """Return which model of the list `path` asks for, empty: for all; None if it is no such
        path. Names are unquoted, since SDKs quote what an address may hold."""
        for listing in self._lists:
            if path == listing:
                return ""
            if path.startswith(listing + b"/"):
                return unquote(path[len(listing) + 1 :].decode("latin-1"))
        return None


_TABLE: Final = Table(DIALECTS.values())


def find_endpoint(head: Head) -> Endpoint | None:
    """Do as `Table.find` with all dialects."""
    return _TABLE.find(head)


def dialect_of(head: Head) -> Dialect:
    """Do as `Table.dialect` with all dialects."""
    return _TABLE.dialect(head)


def allowed(head: Head) -> bytes:
    """Return the header line that says which methods the path of `head` takes."""
    if _TABLE.endpoint(head.path) is not None:
        return b"allow: POST\r\n"
    is_listed = _TABLE.listed(head.path) is not None
    return b"allow: GET\r\n" if is_listed else b"allow: GET, POST\r\n"


def asked_model(path: bytes) -> str | None:
    """Do as `Table.listed` with all dialects."""
    return _TABLE.listed(path)

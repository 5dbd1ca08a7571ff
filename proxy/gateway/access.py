"""Who is calling: app tokens, and what each app was granted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from proxy.errors import Unauthorized
from proxy.gateway.query import take_keys
from proxy.gateway.routes import dialect_of
from proxy.http.head import Head
from proxy.routing.address import Grant
from proxy.settings import App

# Callers on loopback without [apps]: trusted as much as the machine is.
LOCAL = Grant(app="local", models=(), labels=(), explicit_versions=True)

MAX_TOKEN_BYTES = 4096

_KEYS = (b"x-api-key", b"api-key", b"x-goog-api-key")


class Access:
    def __init__(self, apps: Mapping[str, App]) -> None:
        self._grants = [
            (
                bytes.fromhex(app.token_sha256),
                Grant(name, frozenset(app.models), frozenset(app.labels), app.explicit_versions),
            )
            for name, app in apps.items()
        ]

    @property
    def is_open(self) -> bool:
        return not self._grants

    def identify(self, head: Head) -> Grant:
        """Return the caller's grant. Raises `Unauthorized`."""
        if not self._grants:
            return LOCAL
        digest = hashlib.sha256(_token(head)).digest()
        found = None
        # Every entry is compared, so that the time tells nothing about which one matched.
        for known, grant in self._grants:
            if hmac.compare_digest(known, digest):
                found = grant
        if found is None:
            raise Unauthorized()
        return found


def _token(head: Head) -> bytes:
    """Return the bearer token; other headers for keys serve SDKs that send those."""
    fields = head.fields
    scheme, _, token = fields.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        token = next(filter(None, map(fields.get, _KEYS)), b"") or _in_query(head)
    token = token.strip()
    if not token or len(token) > MAX_TOKEN_BYTES:
        raise Unauthorized()
    return token


def _in_query(head: Head) -> bytes:
    """Return the key that an app of a dialect that allows it has in its query."""
    names = dialect_of(head).query_keys if head.query else {}
    _, keys = take_keys(head.query, names)
    return keys[0][1].removeprefix(b"Bearer ") if keys else b""

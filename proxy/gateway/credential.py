"""Vendor keys: read at the last moment, in one place, and shown to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from proxy.dialects.registry import DIALECTS
from proxy.errors import UpstreamAuth
from proxy.settings import Auth, Vendor

# A key file is looked at again this often, so that rotation needs no restart.
REREAD_S = 1.0

MAX_KEY_BYTES = 16 * 1024

_KEY = re.compile(rb"[\x21-\x7e]+")


class Credential(Protocol):
    """What a call to a vendor carries. Never logged, never kept with a request."""

    def line(self, now: float) -> bytes:
        """Return the header line. Raises `UpstreamAuth` if the key cannot be had."""


def _line(key: bytes, auth: str) -> bytes:
    """Return the header line for `key`, empty if it cannot be one."""
    if _KEY.fullmatch(key) is None:
        return b""
    name = b"authorization: Bearer" if auth == "bearer" else auth.encode() + b":"
    return b"%b %b\r\n" % (name, key)


def auth_of(vendor: Vendor) -> Auth:
    """Return how the vendor wants its key: as its entry says, else as all its dialects have it; a
    bearer token where they do not agree."""
    if vendor.auth is not None:
        return vendor.auth
    usual = {DIALECTS[name].auth for name in vendor.dialects}
    return usual.pop() if len(usual) == 1 else "bearer"


class FixedCredential:
    """A key from the environment."""

    __slots__ = ("_header",)

    def __init__(self, key: str, auth: Auth = "bearer") -> None:
        self._header = _line(key.strip().encode(), auth)

    def __repr__(self) -> str:
        return "***"

    def line(self, now: float) -> bytes:
        if not self._header:
            raise UpstreamAuth("the vendor's key cannot be used", hint="run: proxyctl check")
        return self._header


class FileCredential:
    """A key from a file that may be replaced while the proxy runs."""

    __slots__ = ("_auth", "_header", "_path", "_read_at", "_stamp")

    def __init__(self, path: Path, auth: Auth = "bearer") -> None:
        self._path = path
        self._auth: Auth = auth
        self._header = b""
        self._stamp: tuple[int, int] | None = None
        self._read_at = float("-inf")

    def __repr__(self) -> str:
        return "***"

    def line(self, now: float) -> bytes:
        if now - self._read_at >= REREAD_S:
            self._read_at = now
            self._reread()
        if not self._header:
            raise UpstreamAuth("the vendor's key cannot be used", hint="run: proxyctl check")
        return self._header

    def _reread(self) -> None:
        """Read the file if it changed; keep the key that is there while it cannot be read."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp and status.st_size <= MAX_KEY_BYTES:
                key = self._path.read_bytes().strip()
                self._header, self._stamp = _line(key, self._auth), stamp
        except OSError:
            return


def find_credential(
    api_key_file: Path | None,
    api_key_env: str | None,
    env: Mapping[str, str],
    auth: Auth = "bearer",
) -> Credential | None:
    """Return the operator's credential; None if the app's own is to pass through."""
    if api_key_file is not None:
        return FileCredential(api_key_file, auth)
    return FixedCredential(env.get(api_key_env, ""), auth) if api_key_env is not None else None


def credential_of(vendor: Vendor, env: Mapping[str, str]) -> Credential | None:
    """Return what calls to `vendor` carry; None if the app's own is to pass through."""
    return find_credential(vendor.api_key_file, vendor.api_key_env, env, auth_of(vendor))


def unusable(
    vendors: Mapping[str, Vendor], before: Mapping[str, Vendor], env: Mapping[str, str]
) -> Iterator[str]:
    """Yield the settings of `vendors` that name a key which cannot be had, but for those that
    are as they were `before`: a key that comes later is not waited for again."""
    for name, vendor in vendors.items():
        source = (vendor.api_key_file, vendor.api_key_env)
        was = before.get(name)
        if was is not None and source == (was.api_key_file, was.api_key_env):
            continue
        credential = find_credential(*source, env)
        try:
            if credential is not None:
                credential.line(0.0)
        except UpstreamAuth:
            field = "api_key_file" if vendor.api_key_file is not None else "api_key_env"
            yield f"vendors.{name}.{field}: names no key that can be used"

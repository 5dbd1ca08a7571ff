"""The identity of a version: canonical bytes, their digest, and the way back.

RFC 8785 (JSON Canonicalization Scheme) over the content without the fields at their default, then
SHA-256. The digest is over the stored bytes: a reader hashes what it got before it parses.
"""

from __future__ import annotations

import hashlib

import rfc8785
from pydantic import ValidationError

from proxy.errors import VersionCorrupt
from proxy.versions.content import SCHEMA, Content


def canonical(content: Content) -> bytes:
    """Return the bytes that are stored and hashed: UTF-8, keys sorted, defaults omitted."""
    plain = content.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return rfc8785.dumps({**plain, "schema": SCHEMA})


def digest(stored: bytes) -> str:
    """Return `sha256:` and 64 hex digits over `stored`."""
    return "sha256:" + hashlib.sha256(stored).hexdigest()


def load(stored: bytes, expected: str) -> Content:
    """Verify `stored` against the digest `expected` and parse it.

    Raises `VersionCorrupt` if the digest differs, or if this release cannot read the content.
    """
    if digest(stored) != expected:
        raise VersionCorrupt()
    try:
        return Content.model_validate_json(stored)
    except ValidationError:
        raise VersionCorrupt(
            "the stored version cannot be read by this release",
            hint="it was registered by another release; upgrade this one",
        ) from None

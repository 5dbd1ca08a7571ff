"""What apps ask for without a version, remembered as the versions that would do the same, so that
somebody can register them (docs/passthrough.md).

Only where the operator wants it: a system prompt is nobody's business but who runs it. Nothing that
a user said is kept, no header, and nothing that looks like a credential. It stays in memory, and is
told to whoever asks the fleet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from proxy.dialects import adopt
from proxy.dialects.base import Asked, Dialect
from proxy.dialects.registry import ADOPTERS
from proxy.errors import RequestError
from proxy.http.listener import Request
from proxy.versions import identity
from proxy.versions.content import Content
from proxy.versions.question import Candidate, Live
from proxy.versions.sources import looks_secret

# A body that is larger holds images, and takes too long to be looked through beside others.
MOST_BODY_BYTES = 2**20

# All that are remembered go into one answer, which is kept in the store for half a minute.
MOST_CONTENT_BYTES = 64 * 1024

# What a value for the model may be at most, in a version.
MOST_MODEL = 256


def _now() -> datetime:
    return datetime.now(UTC)


class _Seen(msgspec.Struct, gc=False):
    candidate: Candidate
    count: int
    last: datetime


class LiveRequests:
    """Remembers `most` different ways of asking, those that came last; 0: none."""

    def __init__(self, most: int, now: Callable[[], datetime] = _now) -> None:
        self.most = most
        self._now = now
        self._seen: dict[bytes, _Seen | None] = {}

    def saw(self, asked: Asked, request: Request, vendor: str) -> None:
        """Note a request that goes to `vendor` as it is. Never fails: what cannot be read is the
        vendor's to refuse."""
        dialect: Dialect = request.admitted.endpoint.dialect
        if asked.kind or asked.prompt_id or len(request.body) > MOST_BODY_BYTES:
            return
        try:
            self._note(asked, dialect, vendor, request.admitted.grant.app)
        except (RequestError, ValueError, RecursionError, msgspec.MsgspecError):
            return

    def told(self) -> Live:
        """Return what is remembered, what came last first."""
        kept = [one for one in self._seen.values() if one is not None]
        kept.sort(key=lambda one: one.last, reverse=True)
        told = (
            msgspec.structs.replace(one.candidate, count=one.count, last_at=_written(one.last))
            for one in kept
        )
        return Live(tuple(told), self.most)

    def _note(self, asked: Asked, dialect: Dialect, vendor: str, app: str) -> None:
        adopter = ADOPTERS.get(dialect.name)
        if adopter is None or not 0 < len(asked.address) <= MOST_MODEL:
            return
        part = adopter.adopt(asked.fields)
        if part is None:
            return
        plain = adopt.plain_content(part, dialect.name, vendor, asked.address)
        written = msgspec.json.encode((app, dialect.name, plain, part.left_out), order="sorted")
        key = hashlib.sha256(written).digest()
        # One that makes no version is remembered too: it would be tried with every request.
        seen = (
            self._seen.pop(key, None)
            if key in self._seen
            else self._made(asked, dialect, app, plain, tuple(part.left_out))
        )
        while len(self._seen) >= self.most:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = seen
        if seen is not None:
            seen.count, seen.last = seen.count + 1, self._now()

    def _made(
        self, asked: Asked, dialect: Dialect, app: str, plain: object, left_out: tuple[str, ...]
    ) -> _Seen | None:
        """Return what is remembered from now on; None if it makes no version."""
        try:
            content = Content.model_validate(plain)
            stored = identity.canonical(content)
            differs = adopt.remaining(content, dialect, asked)
        except (RequestError, ValueError):
            return None
        text = stored.decode()
        if len(stored) > MOST_CONTENT_BYTES or looks_secret(text):
            return None
        now = self._now()
        at, digest = _written(now), identity.digest(stored)
        found = Candidate(app, dialect.name, 0, at, at, text, digest, left_out, differs)
        return _Seen(found, 0, now)


def _written(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

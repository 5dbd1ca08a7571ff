"""What a command asks the fleet, and how a proxy answers.

Both travel through the store as JSON, and another release may have written them: fields that are
not known are skipped, and what cannot be read is as good as no answer.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from proxy.versions.record import Pin, Question, VersionInfo
from proxy.versions.variables import Value

PREPARE = "prepare"
"""Fetch, verify and compile versions that are about to be pinned."""

HOLDINGS = "holdings"
"""Say what you serve and which versions you hold."""

CONTENT = "content"
"""Give one version that you hold."""

PROBE = "probe"
"""Say what you would send a vendor for requests by a label, without sending it."""

LIVE = "live"
"""Say what apps ask for without a version, as versions that would do the same."""

FAILED = "error:"
"""Stands before a code where a body would have been."""

_T = TypeVar("_T")


class Wanted(msgspec.Struct, frozen=True):
    """A version by all its names: what is prepared or given has this digest or is refused."""

    model: str
    number: int
    id: str
    digest: str


class Prepare(msgspec.Struct, frozen=True):
    """`vendors_s` is how long a proxy may wait for its vendors before it answers."""

    versions: tuple[Wanted, ...]
    vendors_s: float = 1.0


class Prepared(msgspec.Struct, frozen=True):
    """`rejected` says by version id, as a code, why this proxy would not serve it; empty: it is
    ready. `words` says the same to people, `warnings` what speaks against a version and does not
    keep it from being served."""

    rejected: dict[str, str] = {}
    words: dict[str, str] = {}
    warnings: dict[str, tuple[str, ...]] = {}


class Holdings(msgspec.Struct, frozen=True):
    """`pins` are what labels hold at this proxy, `versions` all that it could give."""

    epoch: int
    pins: tuple[Pin, ...]
    versions: tuple[Wanted, ...]


class Give(msgspec.Struct, frozen=True):
    """Asks one member, by its key: the others have the same to give, and would send it for
    nothing."""

    member: str
    version: Wanted


class Given(msgspec.Struct, frozen=True):
    """`content` is the canonical JSON that the digest of `info` is over."""

    info: VersionInfo
    content: str


class Sample(msgspec.Struct, frozen=True):
    """What an app might send: messages as role and text, and values for variables."""

    messages: tuple[tuple[str, str], ...]
    variables: dict[str, Value] = {}


class Probe(msgspec.Struct, frozen=True):
    """Asks for `samples`, sent to what `label` holds. `dialect` empty: in all that the version's
    vendor speaks."""

    model: str
    label: str
    samples: tuple[Sample, ...]
    dialect: str = ""


class Probed(msgspec.Struct, frozen=True):
    """What answered: the version's id and digest, and by dialect what the vendor would have been
    sent for each sample: the SHA-256 of the body in hex, or `error:` and a code. `error` is the
    code of why nothing would answer; then the rest is empty."""

    version: str = ""
    digest: str = ""
    bodies: dict[str, tuple[str, ...]] = {}
    error: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """What an app asked for `count` times, between two moments (RFC 3339), as a version.

    `content` is canonical JSON, `digest` over it. `left_out` names what a version cannot hold,
    `differs` the fields that the version would send otherwise than the app did.
    """

    app: str
    dialect: str
    count: int
    first_at: str
    last_at: str
    content: str
    digest: str
    left_out: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


class Live(msgspec.Struct, frozen=True):
    """`most` is how many candidates this proxy remembers; 0: the operator wants none."""

    candidates: tuple[Candidate, ...] = ()
    most: int = 0


def question(id: str, kind: str, body: msgspec.Struct | None = None) -> Question:
    return Question(id, kind, msgspec.to_builtins(body) if body is not None else {})


def asked(question: Question, kind: type[_T]) -> _T | None:
    """Return the question's body; None if it cannot be read."""
    try:
        return msgspec.convert(question.body, kind)
    except msgspec.ValidationError:
        return None


def answered(body: bytes, kind: type[_T]) -> _T | None:
    """Return an answer's body; None if it cannot be read."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def answer(body: Any) -> bytes:
    return msgspec.json.encode(body)

"""What is known of how good a version is: results, the gate it has to pass, and the verdict.

A result is about content, not about a number: a version can be evaluated before it is registered.
None of this is part of a version's digest; see docs/decisions/0002.
"""

from __future__ import annotations

import hashlib

import msgspec
import rfc8785

OWN_SOURCE = "proxyctl"
"""The source of a result that `proxyctl eval` made."""

_POINTER_HEX = 12


class CaseResult(msgspec.Struct, frozen=True):
    """One case of a suite. Scores are shares, 0 to 1: `score` is the mean of `scores`, one for each
    repeat. `failed` names the expectations that did not hold each time, in words. Tokens are sums
    over the repeats, `latency_ms` is their mean; None: not known. `error` is the code of what kept
    the case from being answered."""

    name: str
    score: float
    scores: tuple[float, ...] = ()
    failed: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: float | None = None
    error: str = ""


class Result(msgspec.Struct, frozen=True):
    """How the version with `digest` did in the suite with the digest `suite`, append-only.

    `score` is the mean of the cases. `source` is the tool that made it, `raw` the digest of its
    file if it was made elsewhere; `simulated` says that no real vendor answered. `at` is set by
    the store, when it is kept.
    """

    model: str
    digest: str
    suite: str
    score: float
    cases: tuple[CaseResult, ...]
    by: str
    source: str = OWN_SOURCE
    raw: str | None = None
    simulated: bool = False
    elapsed_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    at: str = ""

    @property
    def pointer(self) -> str:
        """What a pin and a verdict name it by: `eval-` and twelve hex digits over all of it but
        the time, so that keeping it twice is keeping it once."""
        plain = msgspec.to_builtins(msgspec.structs.replace(self, at=""))
        return "eval-" + hashlib.sha256(rfc8785.dumps(plain)).hexdigest()[:_POINTER_HEX]


class Gate(msgspec.Struct, frozen=True):
    """What a version must have shown before it comes to `prod`: in the suite with this digest a
    score of `min_score` at least, and not lost more than `max_regression` against what is there,
    beyond noise; None: that is not asked. `cases` is how many the suite has, for people.
    `simulated` says that answers of a simulated vendor count too, where there is no other."""

    suite: str
    min_score: float = 0.0
    max_regression: float | None = None
    cases: int = 0
    simulated: bool = False

    @property
    def key(self) -> str:
        """Identifies the gate: `sha256:` and 64 hex digits over all of it."""
        plain = msgspec.to_builtins(self)
        if not self.simulated:
            del plain["simulated"]  # stores hold keys from before there was such a field
        return "sha256:" + hashlib.sha256(rfc8785.dumps(plain)).hexdigest()

    def counts(self, result: Result) -> bool:
        """Say whether `result` is one that this gate goes by."""
        return result.suite == self.suite and (self.simulated or not result.simulated)

    def looser_than(self, other: Gate) -> bool:
        """Say whether something passes this gate that would not have passed `other`, as far as the
        numbers tell; suites cannot be compared."""
        if self.min_score < other.min_score or self.simulated > other.simulated:
            return True
        if other.max_regression is None:
            return False
        return self.max_regression is None or self.max_regression > other.max_regression


class Verdict(msgspec.Struct, frozen=True):
    """That the version with `digest` passed: by the result `result`, in `suite`, the gate with the
    key `gate`, while `prod` held `baseline` (a digest; empty: nothing)."""

    model: str
    digest: str
    suite: str
    gate: str
    baseline: str
    result: str
    by: str
    at: str = ""


class Drill(msgspec.Struct, frozen=True):
    """The last rehearsed rollback of a model. `rollback_ms` runs from the swap back to the last
    confirmation; `label` is where it was done; `from_` and `to` are version ids."""

    model: str
    label: str
    from_: str
    to: str
    reverted: bool
    rollback_ms: float
    proxies: int
    by: str
    at: str = ""

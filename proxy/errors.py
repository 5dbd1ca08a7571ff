"""Every way a request or a command can fail, on one page.

`code` is a contract with client code and scripts: never renamed, never reused. `fault` says who
has to act: the caller, the vendor, or the people who run this proxy. Messages are fixed text and
never repeat what the other side sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ProxyError(Exception):
    """A failure that somebody is told about."""

    code: ClassVar[str]
    fault: ClassVar[str]
    text: ClassVar[str] = ""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message or self.text)
        self.message = message or self.text
        self.hint = hint


# --- what an app is answered (design, section 5.1) -------------------------------------------


class RequestError(ProxyError):
    """A request that is answered by the proxy itself.

    `status` is the HTTP status. `passing` says that the same request may succeed later: such an
    answer carries `retry-after`, every other one `x-should-retry: false`.
    """

    status: ClassVar[int]
    passing: ClassVar[bool] = False


class UnknownModel(RequestError):
    status, code, fault = 404, "unknown_model", "caller"
    text = "no model of this name is registered with the proxy; see GET /v1/models"


class UnknownVersionAsked(RequestError):
    status, code, fault = 404, "unknown_version", "caller"
    text = "the proxy, which numbers versions itself, has no such version or label"


class NotPinned(RequestError):
    status, code, fault, passing = 503, "not_pinned", "operator", True
    text = "no version of this model is pinned to the label"


class StoreUnavailable(RequestError):
    """The store did not answer; to an app, and to a command."""

    status, code, fault, passing = 503, "store_unavailable", "operator", True
    text = "the version store cannot be reached"


class VersionCorrupt(RequestError):
    """Stored bytes that do not have the digest they were registered under."""

    status, code, fault, passing = 503, "version_corrupt", "operator", True
    text = "the stored version does not match its digest"


class WrongDialect(RequestError):
    status, code, fault = 400, "wrong_dialect", "caller"
    text = "this version cannot be served in the dialect that was called"


class InvalidJson(RequestError):
    status, code, fault = 400, "invalid_json", "caller"
    text = "the body is not valid JSON"


class InvalidRequest(RequestError):
    status, code, fault = 400, "invalid_request", "caller"
    text = "the request is not valid"


class MissingVariable(RequestError):
    status, code, fault = 400, "missing_variable", "caller"
    text = "a variable that the version requires was not given"


class UnknownVariable(RequestError):
    status, code, fault = 400, "unknown_variable", "caller"
    text = "a variable was given that the version does not declare"


class OverrideRejected(RequestError):
    status, code, fault = 400, "override_rejected", "caller"
    text = "the version's policy does not let an app set this"


class BodyTooLarge(RequestError):
    status, code, fault = 413, "body_too_large", "caller"
    text = "the body is larger than the proxy accepts"


class BadFraming(RequestError):
    status, code, fault = 400, "bad_framing", "caller"
    text = "the request is not well-formed HTTP/1.1"


class HeadersTooLarge(RequestError):
    status, code, fault = 431, "headers_too_large", "caller"
    text = "the request line or the headers are larger than the proxy accepts"


class RequestTimeout(RequestError):
    status, code, fault = 408, "request_timeout", "caller"
    text = "the request did not arrive in time"


class Unauthorized(RequestError):
    status, code, fault = 401, "unauthorized", "caller"
    text = "a valid app token is required"


class Forbidden(RequestError):
    status, code, fault = 403, "forbidden", "caller"
    text = "this app may not use that model, label or version"


class NotFound(RequestError):
    status, code, fault = 404, "not_found", "caller"
    text = "the proxy serves nothing under this path"


class MethodNotAllowed(RequestError):
    status, code, fault = 405, "method_not_allowed", "caller"
    text = "this path does not take that method"


class UpstreamUnreachable(RequestError):
    status, code, fault, passing = 502, "upstream_unreachable", "vendor", True
    text = "the connection to the vendor failed"


class UpstreamProtocol(RequestError):
    status, code, fault, passing = 502, "upstream_protocol", "vendor", True
    text = "the vendor's answer could not be used"


class UpstreamAuth(RequestError):
    status, code, fault = 502, "upstream_auth", "operator"
    text = "the vendor refused the proxy's credential"


class UpstreamTimeout(RequestError):
    status, code, fault, passing = 504, "upstream_timeout", "vendor", True
    text = "the vendor did not answer in time"


class CircuitOpen(RequestError):
    status, code, fault, passing = 503, "circuit_open", "vendor", True
    text = "the vendor kept failing and is left alone for a moment"


class Overloaded(RequestError):
    status, code, fault, passing = 503, "overloaded", "operator", True
    text = "the proxy has too many requests in flight"


class Draining(RequestError):
    status, code, fault, passing = 503, "draining", "operator", True
    text = "the proxy is shutting down"


# --- what a command is answered --------------------------------------------------------------


class CommandError(ProxyError):
    """A command that was refused or failed; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.field}:" if self.field else ""
        return f"{place}:{field} {self.message}"


class InvalidFiles(CommandError):
    """Sources or settings that do not validate; every problem is listed at once."""

    code, fault = "invalid_files", "operator"

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__("\n".join(map(str, problems)), hint=hint)
        self.problems = tuple(problems)


class UnknownVersion(CommandError):
    code, fault = "unknown_version", "operator"


class UnknownModelNamed(CommandError):
    code, fault = "unknown_model", "operator"


class Conflict(CommandError):
    """The label does not hold what the operator expected. `current` is the id that it holds."""

    code, fault = "conflict", "operator"

    def __init__(self, message: str, *, current: str | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.current = current


class Frozen(CommandError):
    code, fault = "frozen", "operator"


class Revoked(CommandError):
    code, fault = "revoked", "operator"


class Unproven(CommandError):
    """A pin that would bring what the gate in force was not shown to let through."""

    code, fault = "unproven", "caller"


class GateRefused(CommandError):
    """A version that was judged and did not pass."""

    code, fault = "gate_refused", "caller"


class GateChanged(CommandError):
    code, fault = "gate_changed", "caller"


class NothingToRatify(CommandError):
    code, fault = "nothing_to_ratify", "caller"


class EvalFailed(CommandError):
    """An eval that says nothing about the version: something else answered, or nothing did."""

    code, fault = "eval_failed", "operator"


class EvalRefused(CommandError):
    """An eval whose result would not pass the gate, where that was asked."""

    code, fault = "eval_refused", "caller"


class NoResult(CommandError):
    code, fault = "no_result", "caller"


class NoKey(CommandError):
    code, fault = "no_key", "operator"


class NotPrepared(CommandError):
    """A proxy that was asked to prepare a version said that it could not serve it."""

    code, fault = "not_prepared", "operator"


class NoRollbackTarget(CommandError):
    code, fault = "no_rollback_target", "operator"


class NothingToUndo(CommandError):
    code, fault = "nothing_to_undo", "operator"


class NothingToRehearse(CommandError):
    code, fault = "nothing_to_rehearse", "operator"


class DrillRefused(CommandError):
    """A drill on `prod` itself, at a moment when it could do harm."""

    code, fault = "drill_refused", "operator"


class DrillStopped(CommandError):
    """A drill that did not come to its end. What `prod` held, it holds."""

    code, fault = "drill_stopped", "operator"


class NotReverted(CommandError):
    """A drill that came to its end and did not prove what it was there to prove."""

    code, fault = "not_reverted", "operator"


class NotPutBack(CommandError):
    """A drill on `prod` that could not put back what `prod` held: somebody has to, at once."""

    code, fault = "not_put_back", "operator"


class VersionConflict(CommandError):
    """The store already holds other bytes under this number or digest."""

    code, fault = "version_conflict", "operator"


class VersionGone(CommandError):
    """Whoever was to give a version does not hold it any more."""

    code, fault = "version_gone", "operator"


class ReasonRequired(CommandError):
    code, fault = "reason_required", "operator"


class InvalidArgument(CommandError):
    code, fault = "invalid_argument", "operator"


class NotWritable(CommandError):
    """Content that the files of a folder cannot hold."""

    code, fault = "not_writable", "operator"


class UnsavedChanges(CommandError):
    """Files that would be overwritten hold something that is not registered."""

    code, fault = "unsaved_changes", "operator"


class NothingCaptured(CommandError):
    """No live proxy remembers what apps ask for, or none that was picked."""

    code, fault = "nothing_captured", "operator"


class CannotStart(CommandError):
    """A proxy that did not get as far as serving: an address that is taken, a file not there."""

    code, fault = "cannot_start", "operator"


class StoreUnsafe(CommandError):
    """The store would lose versions by its own settings, or holds something that is not ours."""

    code, fault = "store_unsafe", "operator"


class OutcomeUnknown(CommandError):
    """The store's answer was lost: all of the change was made, or none. Run again with the same
    operation id (exit status 4)."""

    code, fault = "outcome_unknown", "operator"

    def __init__(self, message: str, *, operation: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.operation = operation

"""What both stores keep of results, gates, verdicts and drills, and what may be kept.

A result, a verdict and a drill are kept as `MILLISECONDS|JSON`, the time by the store's clock: the
JSON is what was given, byte for byte, whatever wrote the time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from proxy.errors import GateChanged, InvalidArgument, NothingToRatify, ProxyError, Unproven
from proxy.store import records
from proxy.store.base import MAX_REPORT_BYTES, MAX_RESULT_BYTES, MOST_RESULTS
from proxy.store.rules import check_operation, check_text
from proxy.versions.evidence import Drill, Gate, Result, Verdict
from proxy.versions.names import is_digest, is_label, is_model_name, split_id
from proxy.versions.record import Kind

_T = TypeVar("_T", Result, Verdict, Drill)


class _Gate(msgspec.Struct):
    """The text of a gate. `key` is spelled out for the script that compares it."""

    key: str
    gate: Gate


# --- texts


def encode_gate(gate: Gate) -> str:
    return records.encode(_Gate(gate.key, gate))


def decode_gate(text: str | bytes) -> Gate:
    """Raises `StoreUnsafe` if the text is no gate: nothing passes what cannot be read."""
    return records.decode(text, _Gate).gate


def timed(at_ms: int, text: str) -> str:
    return f"{at_ms}|{text}"


def decode_timed(text: str | bytes, kind: type[_T]) -> _T:
    """Read what `timed` made. Raises `StoreUnsafe` if it was overwritten by something else."""
    whole = text.decode(errors="replace") if isinstance(text, bytes) else text
    at_ms, _, body = whole.partition("|")
    found = records.decode(body, kind)
    if not (at_ms.isascii() and at_ms.isdigit()):
        raise records.unreadable()
    return msgspec.structs.replace(found, at=records.rfc3339(int(at_ms)))


def encode(value: Result | Verdict | Drill) -> str:
    """Return the JSON to keep: without the time, which is the store's."""
    return records.encode(msgspec.structs.replace(value, at=""))


def newest_first(results: list[Result]) -> list[Result]:
    return sorted(results, key=lambda result: (result.at, result.pointer), reverse=True)


# --- events


def eval_fields(result: Result, operation: str) -> dict[str, str]:
    detail = {
        "suite": result.suite,
        "score": round(result.score, 6),
        "cases": len(result.cases),
        "source": result.source,
        "simulated": result.simulated,
    }
    return {
        "kind": Kind.EVAL.value,
        "by": result.by,
        "operation": operation,
        "digest": result.digest,
        "verdict": result.pointer,
        "detail": json.dumps(detail),
    }


def gate_fields(gate: Gate | None, *, by: str, reason: str, operation: str) -> dict[str, str]:
    detail = records.encode(gate) if gate is not None else "null"
    return _reasoned(Kind.GATE, by, reason, operation, {"detail": detail})


def ratify_fields(
    label: str, version: str, *, by: str, reason: str, operation: str
) -> dict[str, str]:
    return _reasoned(Kind.RATIFY, by, reason, operation, {"label": label, "version": version})


def drill_fields(drill: Drill, report: str, *, reason: str, operation: str) -> dict[str, str]:
    about = {
        "label": drill.label,
        "version": drill.to,
        "previous": drill.from_,
        "detail": report,
    }
    return _reasoned(Kind.DRILL, drill.by, reason, operation, about)


def _reasoned(
    kind: Kind, by: str, reason: str, operation: str, about: Mapping[str, str]
) -> dict[str, str]:
    fields = {"kind": kind.value, "by": by, "operation": operation, "reason": reason, **about}
    return {name: value for name, value in fields.items() if value}


# --- scopes, as in `records`


def attach_scope(result: Result) -> str:
    return f"attach {result.model} {result.digest} {result.pointer}"


def gate_scope(model: str, gate: Gate | None) -> str:
    return f"gate {model} {gate.key if gate is not None else 'none'}"


def ratify_scope(model: str, label: str, version: str) -> str:
    return f"ratify {model}:{label} {version}"


def drill_scope(drill: Drill) -> str:
    return f"drill {drill.model}:{drill.label}"


# --- what may be kept


def check_result(result: Result, operation: str) -> None:
    """Raise `InvalidArgument` for what no eval could have found, or what is too much to keep."""
    check_operation(operation)
    _check_about(result.model, result.digest, result.suite)
    check_text(result.by, result.source, result.raw, *(case.name for case in result.cases))
    scores = (result.score, *(case.score for case in result.cases))
    if not all(0 <= score <= 1 for score in scores):
        raise InvalidArgument("a score is a share, from 0 to 1")
    if len(encode(result).encode()) > MAX_RESULT_BYTES:
        raise InvalidArgument(f"a result may have {MAX_RESULT_BYTES} bytes at most")


def check_gate(model: str, gate: Gate | None, by: str, reason: str, operation: str) -> None:
    check_operation(operation)
    check_text(by, reason)
    if not is_model_name(model):
        raise InvalidArgument("this is not a valid model name")
    if gate is None:
        return
    if not is_digest(gate.suite):
        raise InvalidArgument("a digest is sha256: and 64 lower-case hex digits")
    if not (0 <= gate.min_score <= 1 and 0 <= (gate.max_regression or 0) <= 1):
        raise InvalidArgument("a gate's numbers are shares, from 0 to 1")


def check_verdict(verdict: Verdict) -> None:
    check_text(verdict.by, verdict.result)
    _check_about(verdict.model, verdict.digest, verdict.suite)
    if not all(is_digest(text) for text in (verdict.gate, verdict.baseline or verdict.gate)):
        raise InvalidArgument("a digest is sha256: and 64 lower-case hex digits")


def check_ratified(label: str, version: str, by: str, reason: str, operation: str) -> None:
    check_operation(operation)
    check_text(by, reason)
    if not is_label(label) or split_id(version) is None:
        raise InvalidArgument("this is not a valid label or version id")


def check_drill(drill: Drill, report: str, reason: str, operation: str) -> None:
    check_operation(operation)
    check_text(drill.by, drill.from_, drill.to, report, reason)
    if not (is_model_name(drill.model) and is_label(drill.label)):
        raise InvalidArgument("this is not a valid model name or label")
    if len(report.encode()) > MAX_REPORT_BYTES:
        raise InvalidArgument(f"a report may have {MAX_REPORT_BYTES} bytes at most")


def _check_about(model: str, digest: str, suite: str) -> None:
    if not is_model_name(model):
        raise InvalidArgument("this is not a valid model name")
    if not (is_digest(digest) and is_digest(suite)):
        raise InvalidArgument("a digest is sha256: and 64 lower-case hex digits")


# --- refusals; the scripts return the same codes


def not_kept(code: str, about: str) -> ProxyError:
    """Return the error that a refusal's code stands for; `about` is a model or a version."""
    match code:
        case "FULL":
            return InvalidArgument(f"a version may have {MOST_RESULTS} results at most")
        case "GATE":
            return GateChanged(
                f"the gate of {about} was changed meanwhile", hint="run the command again"
            )
        case "NO_RESULT":
            return Unproven("this version has no such result", hint=f"proxyctl eval {about}")
    return NothingToRatify(f"{about} was not forced, or was ratified already")


def detail_of(text: str) -> Any:
    """Return the detail of an event; None if it cannot be read."""
    try:
        return msgspec.json.decode(text)
    except records.UNREADABLE:
        return None

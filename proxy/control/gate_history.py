"""What was changed in a model's gate, in words: an auditor should not have to compare JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from proxy.store.evidence_text import detail_of
from proxy.versions.record import Event, Kind

_ASKED = {"min_score": 0.0, "max_regression": None, "simulated": False}
"""The demands, and what they are where nothing was said."""


def gate_changes(events: Sequence[Event]) -> dict[Event, str]:
    """Say of each change of the gate what it changed. `events` come newest first; the earliest
    change is told whole."""
    gates = [event for event in events if event.kind is Kind.GATE]
    read = [_read(event) for event in gates]
    return {
        event: _words(now, before)
        for event, now, before in zip(gates, read, [*read[1:], None], strict=False)
    }


def _read(event: Event) -> dict[str, Any]:
    detail = detail_of(event.detail)
    return detail if isinstance(detail, dict) else {}


def _words(now: dict[str, Any], before: dict[str, Any] | None) -> str:
    if not now:
        return "none is in force any more"
    if not before:
        return ", ".join((*(f"{name} {_said(name, now)}" for name in _ASKED), _cases(now)))
    return ", ".join(_differences(now, before)) or "as before"


def _differences(now: dict[str, Any], before: dict[str, Any]) -> Iterator[str]:
    for name in _ASKED:
        if _value(name, now) != _value(name, before):
            yield f"{name} {_said(name, before)} → {_said(name, now)}"
    if now.get("suite") != before.get("suite"):
        yield f"other cases: {_cases(before)} → {_cases(now)}"


def _value(name: str, gate: dict[str, Any]) -> Any:
    return gate.get(name, _ASKED[name])


def _said(name: str, gate: dict[str, Any]) -> str:
    value = _value(name, gate)
    if isinstance(value, bool):
        return "counts" if value else "does not count"
    return "not asked" if value is None else f"{value:g}"


def _cases(gate: dict[str, Any]) -> str:
    return f"{gate.get('cases', 0)} cases {str(gate.get('suite', ''))[:13]}"

"""What stands before a pin in the SQLite store: freezes, gates, results, verdicts, drills.

Every function here runs inside a transaction, on the file's own thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from proxy.store import evidence_text as texts
from proxy.store import records
from proxy.store import sqlite_tables as tables
from proxy.store.base import MOST_RESULTS, Attached
from proxy.store.records import EventResult
from proxy.versions.evidence import Drill, Gate, Result, Verdict


def freeze(
    connection: sqlite3.Connection, model: str, frozen: bool, fields: dict[str, str]
) -> dict[str, str]:
    def write(at_ms: int) -> None:
        connection.execute("DELETE FROM frozen WHERE model = ?", (model,))
        if frozen:
            values = (model, fields.get("reason", ""))
            connection.execute("INSERT INTO frozen VALUES (?,?)", values)

    return _once(connection, model, records.freeze_scope(model, frozen), fields, write)


def attach(connection: sqlite3.Connection, result: Result, operation: str) -> Attached:
    scope = texts.attach_scope(result)
    if first := tables.kept_result(connection, operation):
        records.first_result(first, scope, EventResult)
    about = (result.model, result.digest)
    row = connection.execute(
        "SELECT result FROM results WHERE model = ? AND digest = ? AND pointer = ?",
        (*about, result.pointer),
    ).fetchone()
    if row is not None:
        return Attached(texts.decode_timed(row[0], Result), created=False)
    (count,) = connection.execute(
        "SELECT count(*) FROM results WHERE model = ? AND digest = ?", about
    ).fetchone()
    if count >= MOST_RESULTS:
        raise texts.not_kept("FULL", result.model)
    at_ms = tables.now_ms(connection)
    text = texts.timed(at_ms, texts.encode(result))
    values = (*about, result.pointer, text)
    connection.execute("INSERT INTO results VALUES (?,?,?,?)", values)
    _note(connection, result.model, scope, texts.eval_fields(result, operation), at_ms)
    return Attached(texts.decode_timed(text, Result), created=True)


def results(connection: sqlite3.Connection, model: str, digest: str) -> list[Result]:
    rows = connection.execute(
        "SELECT result FROM results WHERE model = ? AND digest = ?", (model, digest)
    )
    return texts.newest_first([texts.decode_timed(row[0], Result) for row in rows])


def set_gate(
    connection: sqlite3.Connection, model: str, gate: Gate | None, fields: dict[str, str]
) -> dict[str, str]:
    def write(at_ms: int) -> None:
        connection.execute("DELETE FROM gates WHERE model = ?", (model,))
        if gate is not None:
            values = (model, texts.encode_gate(gate))
            connection.execute("INSERT INTO gates VALUES (?,?)", values)

    return _once(connection, model, texts.gate_scope(model, gate), fields, write)


def approve(connection: sqlite3.Connection, verdict: Verdict) -> None:
    model = verdict.model
    row = connection.execute("SELECT gate FROM gates WHERE model = ?", (model,)).fetchone()
    gate = texts.decode_gate(row[0]) if row is not None else None
    if gate is None or (gate.key, gate.suite) != (verdict.gate, verdict.suite):
        raise texts.not_kept("GATE", model)
    known = connection.execute(
        "SELECT 1 FROM results WHERE model = ? AND digest = ? AND pointer = ?",
        (model, verdict.digest, verdict.result),
    )
    if known.fetchone() is None:
        raise texts.not_kept("NO_RESULT", model)
    text = texts.timed(tables.now_ms(connection), texts.encode(verdict))
    values = (model, verdict.digest, text)
    connection.execute("REPLACE INTO verdicts VALUES (?,?,?)", values)


def ratify(
    connection: sqlite3.Connection, model: str, label: str, version: str, fields: dict[str, str]
) -> dict[str, str]:
    def write(at_ms: int) -> None:
        if not tables.ratify(connection, model, label, version):
            raise texts.not_kept("NOTHING", version)

    scope = texts.ratify_scope(model, label, version)
    return _once(connection, model, scope, fields, write)


def note_drill(
    connection: sqlite3.Connection, drill: Drill, fields: dict[str, str]
) -> dict[str, str]:
    def write(at_ms: int) -> None:
        text = texts.timed(at_ms, texts.encode(drill))
        connection.execute("REPLACE INTO drills VALUES (?,?)", (drill.model, text))

    return _once(connection, drill.model, texts.drill_scope(drill), fields, write)


def drills(connection: sqlite3.Connection) -> list[Drill]:
    rows = connection.execute("SELECT drill FROM drills ORDER BY model")
    return [texts.decode_timed(row[0], Drill) for row in rows]


def _once(
    connection: sqlite3.Connection,
    model: str,
    scope: str,
    fields: dict[str, str],
    write: Callable[[int], None],
) -> dict[str, str]:
    """Write and note it in the history, at one moment, unless this operation did so before; return
    the event."""
    if first := tables.kept_result(connection, fields["operation"]):
        return records.first_result(first, scope, EventResult).event
    at_ms = tables.now_ms(connection)
    write(at_ms)
    return _note(connection, model, scope, fields, at_ms)


def _note(
    connection: sqlite3.Connection, model: str, scope: str, fields: dict[str, str], at_ms: int
) -> dict[str, str]:
    epoch = str(tables.epoch_of(connection))
    event = tables.append(connection, model, {**fields, "epoch": epoch}, at_ms)
    tables.keep_result(connection, fields["operation"], at_ms, EventResult(scope, event))
    return event

"""What is read from and written to the tables of the SQLite store (sqlite_schema.py).

Every function here runs inside a transaction, on the file's own thread.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from proxy.errors import VersionConflict
from proxy.store import evidence_text, pin_text, records
from proxy.store.base import FORMER_S, MOST_FORMER, NewVersion, Order
from proxy.store.records import Kept, MovedResult, RegisterResult, SwapResult
from proxy.store.rules import Known, Plan, Step, decide, short_hex
from proxy.versions.evidence import Drill, Verdict
from proxy.versions.names import split_id, version_id
from proxy.versions.record import (
    DRILL,
    Event,
    Former,
    Guards,
    Kind,
    Pins,
    Registered,
    Version,
    VersionInfo,
)

# Through the Julian day: SQLite learned sub-second Unix times only with 3.42.
_NOW_MS = "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


def now_ms(connection: sqlite3.Connection) -> int:
    return int(connection.execute(_NOW_MS).fetchone()[0])


def register(connection: sqlite3.Connection, new: NewVersion, operation: str) -> Registered:
    scope = records.register_scope(new)
    if result := kept_result(connection, operation):
        return records.first_result(result, scope, RegisterResult).registered(new.model)
    row = connection.execute(
        "SELECT number, kept, content FROM versions WHERE model = ? AND digest = ?",
        (new.model, new.digest),
    ).fetchone()
    if row is None:
        return _create(connection, new, operation, scope)
    if row[2] != new.content:
        raise VersionConflict("the store holds other bytes under this version's digest")
    return Registered(info_of(new.model, row[0], row[1]), created=False)


def _create(
    connection: sqlite3.Connection, new: NewVersion, operation: str, scope: str
) -> Registered:
    (last,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM versions WHERE model = ?", (new.model,)
    ).fetchone()
    number, at_ms = last + 1, now_ms(connection)
    made = version_id(new.model, number, short_hex(new.digest, _taken_hex(connection, new.model)))
    meta = records.meta_fields(new.meta)
    kept = Kept(id=made, digest=new.digest, at_ms=at_ms, bytes=len(new.content), **meta)
    insert(connection, new.model, number, kept, new.content)
    result = RegisterResult(scope, number, kept)
    keep_result(connection, operation, at_ms, result)
    event = {
        "kind": Kind.REGISTER.value,
        "epoch": str(epoch_of(connection)),
        "by": new.meta.by,
        "operation": operation,
        "version": made,
        "digest": new.digest,
        "reason": new.meta.message,
    }
    append(connection, new.model, {k: v for k, v in event.items() if v}, at_ms)
    return result.registered(new.model)


def insert(
    connection: sqlite3.Connection, model: str, number: int, kept: Kept, content: bytes
) -> None:
    connection.execute(
        "INSERT INTO versions (model, number, id, digest, kept, content) VALUES (?,?,?,?,?,?)",
        (model, number, kept.id, kept.digest, records.encode(kept), content),
    )


def _taken_hex(connection: sqlite3.Connection, model: str) -> set[str]:
    rows = connection.execute("SELECT id FROM versions WHERE model = ?", (model,))
    return {parts[1].hexdigits for row in rows if (parts := split_id(row[0]))}


def models(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT DISTINCT model FROM versions ORDER BY 1")]


def versions(connection: sqlite3.Connection, model: str) -> list[VersionInfo]:
    rows = connection.execute(
        "SELECT number, kept FROM versions WHERE model = ? ORDER BY number", (model,)
    )
    return [info_of(model, number, kept) for number, kept in rows]


def version(connection: sqlite3.Connection, model: str, number: int) -> Version | None:
    row = connection.execute(
        "SELECT kept, content FROM versions WHERE model = ? AND number = ?", (model, number)
    ).fetchone()
    return None if row is None else Version(info_of(model, number, row[0]), bytes(row[1]))


def info_of(model: str, number: int, kept: str) -> VersionInfo:
    return records.decode(kept, Kept).info(model, number)


def pins(connection: sqlite3.Connection) -> Pins:
    rows = connection.execute("SELECT model, label, text FROM pins").fetchall()
    texts = {(model, label): str(text) for model, label, text in rows}
    return pin_text.assemble(str(epoch_of(connection)), texts)


def epoch_of(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT epoch FROM epoch").fetchone()
    return pin_text.decode_epoch(None if row is None else str(row[0]))


def set_epoch(connection: sqlite3.Connection, epoch: int) -> None:
    connection.execute("REPLACE INTO epoch VALUES (1, ?)", (str(epoch),))


def swap(connection: sqlite3.Connection, order: Order) -> tuple[SwapResult, bool]:
    """Carry out `order`. Returns the result and whether it is that of an earlier call."""
    scope = records.swap_scope(order)
    if result := kept_result(connection, order.operation):
        return records.first_result(result, scope, SwapResult), True
    plan = decide(order, _known(connection, order))
    at_ms = now_ms(connection)
    for step in plan.steps:
        _carry_out(connection, order, step, at_ms)
    if plan.steps:
        set_epoch(connection, plan.epoch)
    done = _swap_result(scope, plan)
    keep_result(connection, order.operation, at_ms, done)
    return done, False


def _known(connection: sqlite3.Connection, order: Order) -> Known:
    models = json.dumps(sorted({change.model for change in order.changes}))
    ids = json.dumps([change.id for change in order.changes])

    def of_models(statement: str) -> list[Any]:
        return connection.execute(statement, (models,)).fetchall()

    registered = connection.execute(
        "SELECT id, digest FROM versions WHERE id IN (SELECT value FROM json_each(?))", (ids,)
    )
    pinned = of_models(
        "SELECT model, label, text FROM pins WHERE model IN (SELECT value FROM json_each(?))"
    )
    held = of_models(
        "SELECT model, label, id FROM held WHERE model IN (SELECT value FROM json_each(?))"
    )
    revoked = of_models(
        "SELECT model, id FROM revoked WHERE model IN (SELECT value FROM json_each(?))"
    )
    frozen = of_models("SELECT model FROM frozen WHERE model IN (SELECT value FROM json_each(?))")
    unratified = of_models(
        "SELECT model, label, id FROM unratified WHERE model IN (SELECT value FROM json_each(?))"
    )
    gates = of_models(
        "SELECT model, gate FROM gates WHERE model IN (SELECT value FROM json_each(?))"
    )
    return Known(
        epoch=pins(connection).epoch,
        digests=dict(registered.fetchall()),
        pins={(model, label): str(text) for model, label, text in pinned},
        held=set(held),
        revoked=set(revoked),
        frozen={model for (model,) in frozen},
        unratified=set(unratified),
        gates={model: evidence_text.decode_gate(text) for model, text in gates},
        verdicts=_verdicts(connection, order),
    )


def _verdicts(connection: sqlite3.Connection, order: Order) -> dict[tuple[str, str], Verdict]:
    found = {}
    for change in order.changes:
        about = (change.model, change.digest)
        row = connection.execute(
            "SELECT verdict FROM verdicts WHERE model = ? AND digest = ?", about
        ).fetchone()
        if row is not None:
            found[about] = evidence_text.decode_timed(row[0], Verdict)
    return found


def _carry_out(connection: sqlite3.Connection, order: Order, step: Step, at_ms: int) -> None:
    pin = step.pin
    text = pin_text.encode(pin)
    connection.execute("REPLACE INTO pins VALUES (?,?,?)", (pin.model, pin.label, text))
    connection.execute("INSERT OR IGNORE INTO held VALUES (?,?,?)", (pin.model, pin.label, pin.id))
    if step.revoked:
        left = (pin.model, step.revoked, order.reason)
        connection.execute("INSERT INTO revoked VALUES (?,?,?)", left)
    if step.restored:
        taken = (pin.model, step.restored)
        connection.execute("DELETE FROM revoked WHERE model = ? AND id = ?", taken)
    _remember(connection, step, at_ms)
    place = (pin.model, pin.label, pin.id)
    if step.forced:
        values = (*place, str(pin.epoch))
        connection.execute("REPLACE INTO unratified VALUES (?,?,?,?)", values)
    if step.passed:
        ratify(connection, *place)
    fields = records.event_fields(
        step.change, order, pin.epoch, step.previous, step.revoked, step.restored, step.verdict
    )
    append(connection, pin.model, fields, at_ms)


def _remember(connection: sqlite3.Connection, step: Step, at_ms: int) -> None:
    """Put what the label held among the former holders, or take out what was revoked."""
    left, label = step.previous, step.pin.label
    if left is None:
        return
    revoked = connection.execute("SELECT 1 FROM revoked WHERE id = ?", (left,)).fetchone()
    if revoked is not None:
        connection.execute("DELETE FROM former WHERE id = ?", (left,))
    elif left != step.pin.id and label != DRILL:
        values = (left, label, at_ms)
        connection.execute("DELETE FROM former WHERE id = ? AND label = ?", values[:2])
        connection.execute("INSERT INTO former (id, label, at_ms) VALUES (?,?,?)", values)
        connection.execute(
            "DELETE FROM former WHERE at_ms < ? OR sequence NOT IN"
            " (SELECT sequence FROM former ORDER BY sequence DESC LIMIT ?)",
            (at_ms - FORMER_S * 1000, MOST_FORMER),
        )


def former(connection: sqlite3.Connection) -> tuple[Former, ...]:
    """Return the former holders, oldest first."""
    rows = connection.execute("SELECT id, label, at_ms FROM former ORDER BY sequence")
    return tuple(Former(str(id), str(label), int(at_ms)) for id, label, at_ms in rows)


def _swap_result(scope: str, plan: Plan) -> SwapResult:
    moved = (MovedResult(m.model, m.label, m.id, m.epoch, m.previous) for m in plan.moved)
    return SwapResult(scope, plan.epoch, tuple(moved))


def history(connection: sqlite3.Connection, model: str, limit: int) -> list[Event]:
    rows = connection.execute(
        "SELECT event FROM history WHERE model = ? ORDER BY sequence DESC LIMIT ?", (model, limit)
    )
    found = (records.event_from(model, records.decode(row[0], dict[str, str])) for row in rows)
    return [event for event in found if event is not None]


def guards(connection: sqlite3.Connection, model: str) -> Guards:
    def one(statement: str) -> str | None:
        row = connection.execute(statement, (model,)).fetchone()
        return None if row is None else str(row[0])

    frozen = one("SELECT reason FROM frozen WHERE model = ?")
    revoked = connection.execute("SELECT id, reason FROM revoked WHERE model = ?", (model,))
    forced = connection.execute("SELECT label, id, epoch FROM unratified WHERE model = ?", (model,))
    gate = one("SELECT gate FROM gates WHERE model = ?")
    drill = one("SELECT drill FROM drills WHERE model = ?")
    return Guards(
        frozen=frozen is not None,
        frozen_reason=frozen or "",
        revoked=dict(revoked.fetchall()),
        gate=evidence_text.decode_gate(gate) if gate is not None else None,
        unratified={f"{label}:{id}": pin_text.decode_epoch(epoch) for label, id, epoch in forced},
        drill=evidence_text.decode_timed(drill, Drill) if drill is not None else None,
    )


def ratify(connection: sqlite3.Connection, model: str, label: str, id: str) -> bool:
    """Let a forced pin count as passed; return whether there was one."""
    done = connection.execute(
        "DELETE FROM unratified WHERE model = ? AND label = ? AND id = ?", (model, label, id)
    )
    return done.rowcount > 0


def append(
    connection: sqlite3.Connection, model: str, fields: dict[str, str], at_ms: int
) -> dict[str, str]:
    event = {**fields, "at_ms": str(at_ms)}
    connection.execute(
        "INSERT INTO history (model, event) VALUES (?, ?)", (model, records.encode(event))
    )
    return event


def kept_result(connection: sqlite3.Connection, operation: str) -> str | None:
    row = connection.execute(
        "SELECT result FROM operations WHERE operation = ?", (operation,)
    ).fetchone()
    return None if row is None else str(row[0])


def keep_result(connection: sqlite3.Connection, operation: str, at_ms: int, result: object) -> None:
    expired = at_ms - records.OPERATION_TTL_S * 1000
    connection.execute("DELETE FROM operations WHERE at_ms < ?", (expired,))
    values = (operation, at_ms, records.encode(result))
    connection.execute("INSERT INTO operations VALUES (?,?,?)", values)

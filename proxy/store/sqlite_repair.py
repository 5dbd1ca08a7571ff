"""What a repair writes into the SQLite store: versions that were lost, pins that were set by hand.

Every function here runs inside a transaction, on the file's own thread.
"""

from __future__ import annotations

import sqlite3

from proxy.store import pin_text, records, rules
from proxy.store import sqlite_tables as tables
from proxy.store.base import Change
from proxy.store.records import RECORDED_AMONG, EventResult, Kept, RegisterResult
from proxy.versions.backward import pin_events
from proxy.versions.record import PROD, Event, Pin, Registered, Version


def restore(
    connection: sqlite3.Connection, version: Version, by: str, operation: str
) -> Registered:
    info = version.info
    scope = records.restore_scope(info)
    if result := tables.kept_result(connection, operation):
        return records.first_result(result, scope, RegisterResult).registered(info.model)
    if known := _registered(connection, version):
        return known
    kept, at_ms = _put(connection, version), tables.now_ms(connection)
    fields = records.restore_fields(info, by=by, operation=operation)
    epoch = str(tables.epoch_of(connection))
    tables.append(connection, info.model, {**fields, "epoch": epoch}, at_ms)
    done = RegisterResult(scope, info.number, kept)
    tables.keep_result(connection, operation, at_ms, done)
    return done.registered(info.model)


def _put(connection: sqlite3.Connection, version: Version) -> Kept:
    """Write the version, or only its bytes if those are damaged; return its record."""
    info = version.info
    row = connection.execute("SELECT kept FROM versions WHERE id = ?", (info.id,)).fetchone()
    if row is None:
        kept = records.kept_from(version)
        tables.insert(connection, info.model, info.number, kept, version.content)
        return kept
    whole = (version.content, info.id)
    connection.execute("UPDATE versions SET content = ? WHERE id = ?", whole)
    return records.decode(row[0], Kept)


def _registered(connection: sqlite3.Connection, version: Version) -> Registered | None:
    """Return the version if it is there and whole; None if anything is missing or damaged.

    Raises `VersionConflict` if another one is in its place.
    """
    info = version.info
    row = connection.execute(
        "SELECT id, digest, content, kept FROM versions WHERE model = ? AND number = ?",
        (info.model, info.number),
    ).fetchone()
    if row is not None and row[:2] != (info.id, info.digest):
        raise rules.not_restored("NUMBER", info)
    if row is not None and row[2] != version.content:
        return None
    if row is not None:
        return Registered(tables.info_of(info.model, info.number, row[3]), created=False)
    same = connection.execute(
        "SELECT 1 FROM versions WHERE model = ? AND digest = ?", (info.model, info.digest)
    )
    if same.fetchone() is not None:
        raise rules.not_restored("DIGEST", info)
    return None


def record(connection: sqlite3.Connection, pin: Pin, by: str, operation: str) -> Event:
    scope = records.record_scope(pin)
    if result := tables.kept_result(connection, operation):
        first = records.first_result(result, scope, EventResult)
        return records.own_event(pin.model, first.event)
    _check_held(connection, pin)
    events = tables.history(connection, pin.model, RECORDED_AMONG)
    known = list(pin_events(events, pin.label))
    for event in known:
        if (event.operation, event.epoch, event.version) == (pin.operation, pin.epoch, pin.id):
            return event
    fields = records.record_fields(pin, by=by)
    if previous := next((event.version for event in known if event.version), None):
        fields["previous"] = previous
    return _write(connection, pin, fields, operation, scope)


def _check_held(connection: sqlite3.Connection, pin: Pin) -> None:
    asked = Change(pin.model, pin.label, pin.id, pin.digest)
    row = connection.execute(
        "SELECT text FROM pins WHERE model = ? AND label = ?", (pin.model, pin.label)
    ).fetchone()
    held = pin_text.decode(pin.model, pin.label, str(row[0])) if row is not None else None
    if held != pin:
        raise rules.refusal("CONFLICT", asked, held.id if held is not None else None)
    digest = connection.execute("SELECT digest FROM versions WHERE id = ?", (pin.id,)).fetchone()
    if digest != (pin.digest,):
        raise rules.refusal("UNKNOWN", asked)


def _write(
    connection: sqlite3.Connection, pin: Pin, fields: dict[str, str], operation: str, scope: str
) -> Event:
    at_ms = tables.now_ms(connection)
    held = (pin.model, pin.label, pin.id)
    connection.execute("INSERT OR IGNORE INTO held VALUES (?,?,?)", held)
    gate = connection.execute("SELECT 1 FROM gates WHERE model = ?", (pin.model,))
    if pin.label == PROD and gate.fetchone() is not None:
        values = (*held, str(pin.epoch))
        connection.execute("REPLACE INTO unratified VALUES (?,?,?,?)", values)
    tables.set_epoch(connection, max(pin.epoch, tables.epoch_of(connection)))
    event = tables.append(connection, pin.model, fields, at_ms)
    tables.keep_result(connection, operation, at_ms, EventResult(scope, event))
    return records.own_event(pin.model, event)

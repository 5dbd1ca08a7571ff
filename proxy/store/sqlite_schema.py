"""The tables of the SQLite store, one migration after the other."""

from __future__ import annotations

from proxy.store.sqlite_file import Schema

# Times are milliseconds since 1970 by SQLite's clock.
SCHEMA = Schema(
    application_id=0x70726F78,  # "prox"
    migrations=(
        (
            """CREATE TABLE versions (
                model TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL UNIQUE,
                digest TEXT NOT NULL, kept TEXT NOT NULL, content BLOB NOT NULL,
                PRIMARY KEY (model, number), UNIQUE (model, digest)
            )""",
            """CREATE TABLE pins (
                model TEXT NOT NULL, label TEXT NOT NULL, text TEXT NOT NULL,
                PRIMARY KEY (model, label)
            ) WITHOUT ROWID""",
            "CREATE TABLE epoch (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL)",
            """CREATE TABLE held (
                model TEXT NOT NULL, label TEXT NOT NULL, id TEXT NOT NULL,
                PRIMARY KEY (model, label, id)
            ) WITHOUT ROWID""",
            """CREATE TABLE revoked (
                model TEXT NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL,
                PRIMARY KEY (model, id)
            ) WITHOUT ROWID""",
            "CREATE TABLE frozen (model TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID",
            """CREATE TABLE history (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL,
                event TEXT NOT NULL
            )""",
            "CREATE INDEX history_of_model ON history (model, sequence)",
            """CREATE TABLE operations (
                operation TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, result TEXT NOT NULL
            ) WITHOUT ROWID""",
            "CREATE INDEX operations_by_age ON operations (at_ms)",
        ),
        (
            """CREATE TABLE questions (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
                at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
            )""",
        ),
        (
            """CREATE TABLE results (
                model TEXT NOT NULL, digest TEXT NOT NULL, pointer TEXT NOT NULL,
                result TEXT NOT NULL, PRIMARY KEY (model, digest, pointer)
            ) WITHOUT ROWID""",
            "CREATE TABLE gates (model TEXT PRIMARY KEY, gate TEXT NOT NULL) WITHOUT ROWID",
            """CREATE TABLE verdicts (
                model TEXT NOT NULL, digest TEXT NOT NULL, verdict TEXT NOT NULL,
                PRIMARY KEY (model, digest)
            ) WITHOUT ROWID""",
            """CREATE TABLE unratified (
                model TEXT NOT NULL, label TEXT NOT NULL, id TEXT NOT NULL, epoch TEXT NOT NULL,
                PRIMARY KEY (model, label, id)
            ) WITHOUT ROWID""",
            "CREATE TABLE drills (model TEXT PRIMARY KEY, drill TEXT NOT NULL) WITHOUT ROWID",
        ),
        (
            """CREATE TABLE former (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, label TEXT NOT NULL,
                at_ms INTEGER NOT NULL
            )""",
        ),
    ),
)

"""Proxies, and what they are asked, in SQLite.

Leases and answers are in a file of their own, since they are written all the time and wake nobody.
Questions are in the store's file: whoever watches the pins is to see them at once. Every function
here runs inside a transaction, on the file's own thread.
"""

from __future__ import annotations

import sqlite3

from proxy.store import question_text, records
from proxy.store.base import MOST_QUESTIONS
from proxy.store.sqlite_file import Schema
from proxy.store.sqlite_tables import now_ms
from proxy.versions.record import Member, Question

# `name` is a member's key.
LEASES = Schema(
    application_id=0x70726F6C,  # "prol"
    migrations=(
        (
            """CREATE TABLE leases (
                name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, member TEXT NOT NULL
            ) WITHOUT ROWID""",
        ),
        (
            """CREATE TABLE answers (
                question TEXT NOT NULL, member TEXT NOT NULL, at_ms INTEGER NOT NULL,
                body BLOB NOT NULL, PRIMARY KEY (question, member)
            )""",
        ),
    ),
    durable=False,
)

# Clocks of one machine differ by nothing, but a step may set them back while we look.
_AHEAD_MS = 1000


def report(connection: sqlite3.Connection, member: Member, missed_s: float) -> None:
    at_ms, missed_ms = now_ms(connection), int(missed_s * 1000)
    connection.execute("DELETE FROM leases WHERE abs(? - at_ms) >= ?", (at_ms, missed_ms))
    values = (member.key, at_ms, records.encode(member))
    connection.execute("REPLACE INTO leases VALUES (?,?,?)", values)


def leave(connection: sqlite3.Connection, key: str) -> None:
    connection.execute("DELETE FROM leases WHERE name = ?", (key,))


def members(connection: sqlite3.Connection, lease_s: float, missed_s: float) -> list[Member]:
    """Return the members. A lease from the future was written before the clock was set back: it
    may be of any age, so it is not live."""
    rows = connection.execute(
        "SELECT age_ms, member FROM (SELECT ? - at_ms AS age_ms, member FROM leases)"
        " WHERE abs(age_ms) < ?",
        (now_ms(connection), int(missed_s * 1000)),
    )
    found = (
        records.member_from(text, max(0, age_ms) / 1000, -_AHEAD_MS <= age_ms < lease_s * 1000)
        for age_ms, text in rows
    )
    return records.in_order(member for member in found if member is not None)


def ask(connection: sqlite3.Connection, question: Question, body: str, question_s: float) -> None:
    at_ms = now_ms(connection)
    late = (at_ms, int(question_s * 1000))
    connection.execute("DELETE FROM questions WHERE abs(? - at_ms) > ?", late)
    connection.execute(
        "REPLACE INTO questions (id, at_ms, kind, body) VALUES (?,?,?,?)",
        (question.id, at_ms, question.kind, body),
    )
    connection.execute(
        "DELETE FROM questions WHERE sequence NOT IN"
        " (SELECT sequence FROM questions ORDER BY sequence DESC LIMIT ?)",
        (MOST_QUESTIONS,),
    )


def questions(connection: sqlite3.Connection, question_s: float) -> tuple[Question, ...]:
    rows = connection.execute(
        "SELECT id, kind, body FROM questions WHERE abs(? - at_ms) <= ? ORDER BY sequence",
        (now_ms(connection), int(question_s * 1000)),
    )
    found = (question_text.question(*map(str, row)) for row in rows)
    return tuple(question for question in found if question is not None)


def answer(
    connection: sqlite3.Connection, question: str, member: str, body: bytes, question_s: float
) -> None:
    at_ms = now_ms(connection)
    late = (at_ms, int(question_s * 1000))
    connection.execute("DELETE FROM answers WHERE abs(? - at_ms) > ?", late)
    values = (question, member, at_ms, body)
    connection.execute("REPLACE INTO answers VALUES (?,?,?,?)", values)


def answers(connection: sqlite3.Connection, question: str, question_s: float) -> dict[str, bytes]:
    rows = connection.execute(
        "SELECT member, body FROM answers WHERE question = ? AND abs(? - at_ms) <= ?",
        (question, now_ms(connection), int(question_s * 1000)),
    )
    return {member: bytes(body) for member, body in rows}

"""Where in a file something is: the lines of keys and elements in TOML and JSON text.

Strategy: the standard parsers keep no positions, so a small scanner walks over the same text and
notes where each key begins. It is best effort, also on text that does not parse: a line number
is a convenience, so a place that is not found falls back to the part around it, and a wrong text
never raises.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]
"""Keys and indices from the root of a document to one of its values."""

Lines = Mapping[Path, int]

_JSON_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"(\[\[?)[ \t]*({_KEY})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"({_KEY})[ \t]*=")
_VALUE_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""'
    r"|'''.*?'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def line_of(lines: Lines, path: Path) -> int:
    """Return the line of the deepest part of `path` that is in `lines`; 0 if none is."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 0


def field_name(path: Path) -> str:
    """Write `path` as people do: `tools[0].parameters`, quotes around keys with odd characters."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_key_text(part)}" for part in path]
    return "".join(parts).removeprefix(".")


def _key_text(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


def json_lines(text: str) -> dict[Path, int]:
    """Return the line of every key and element of a JSON text; of a repeated key, the first."""
    lines: dict[Path, int] = {}
    for path, line in json_places(text):
        lines.setdefault(path, line)
    return lines


def json_places(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the path and line of every key and element, in order; a repeated key twice."""
    cursor = _JsonCursor()
    line, counted = 1, 0
    for match in _JSON_TOKEN.finditer(text):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        if cursor.take(match[0]):
            yield tuple(cursor.stack), line
            cursor.enter(match[0])
        elif match[0] in "[{":
            cursor.enter(match[0])


class _JsonCursor:
    """Where a scanner stands: for each open container, the key or the index being read."""

    def __init__(self) -> None:
        self.stack: list[str | int] = []
        self._wants_key = False

    def take(self, mark: str) -> bool:
        """Move over one token; say whether a new key or element begins with it."""
        if mark in "]}":
            del self.stack[-1:]
            self._wants_key = False
        elif mark == ",":
            self._next()
        elif self._wants_key and mark[0] == '"':
            self.stack[-1], self._wants_key = _json_key(mark), False
            return True
        else:
            return mark != ":" and bool(self.stack) and isinstance(self.stack[-1], int)
        return False

    def _next(self) -> None:
        top = self.stack[-1] if self.stack else None
        self._wants_key = isinstance(top, str)
        if isinstance(top, int):
            self.stack[-1] = top + 1

    def enter(self, mark: str) -> None:
        """Go into the container that `mark` opens, if it opens one."""
        if mark in "[{":
            self.stack.append(0 if mark == "[" else "")
            self._wants_key = mark == "{"


def _json_key(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def toml_lines(text: str) -> dict[Path, int]:
    """Return the line of every table and of every key that begins a line of a TOML text.

    Keys inside inline tables are not looked for: they are found by the key before the `=`.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}  # by array of tables: how many so far
    table: Path = ()
    for line, is_header, is_array, key in _statements(text):
        if is_header:
            table = _resolve(key, counts, opens=is_array)
        path = table if is_header else table + key
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], line)
    return lines


def _resolve(key: Path, counts: dict[Path, int], *, opens: bool) -> Path:
    """Put the index of the current element behind each part that is an array of tables."""
    path: Path = ()
    for position, part in enumerate(key):
        path += (part,)
        if opens and position == len(key) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path += (counts[path] - 1,)
    return path


def _statements(text: str) -> Iterator[tuple[int, bool, bool, Path]]:
    """Yield line, whether it is a header, whether of an array of tables, and the key."""
    line, counted, start = 1, 0, 0
    while start < len(text):
        while start < len(text) and text[start] in " \t\r\n":
            start += 1
        line += text.count("\n", counted, start)
        counted = start
        header = _HEADER.match(text, start)
        match = header or _ASSIGNMENT.match(text, start)
        if match is not None and (key := _toml_key(match[2] if header else match[1])):
            yield line, header is not None, header is not None and header[1] == "[[", key
        start = _end_of_value(text, match.end() if match and not header else start)


def _toml_key(text: str) -> Path:
    """Take a dotted key apart; empty if it is none."""
    try:
        parsed: object = tomllib.loads(f"{text} = 0")
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    parts: list[str] = []
    while isinstance(parsed, dict):
        ((part, parsed),) = parsed.items()
        parts.append(part)
    return tuple(parts)


def _end_of_value(text: str, start: int) -> int:
    """Return where the line ends that the value at `start` ends in."""
    depth = 0
    for match in _VALUE_TOKEN.finditer(text, start):
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth -= 1
        elif match[0] == "\n" and depth <= 0:
            return match.end()
    return len(text)

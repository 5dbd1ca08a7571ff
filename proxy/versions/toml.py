"""Write JSON-like values as TOML that people like to read.

The standard library only reads TOML. Tables become headers, keys keep their order, arrays that
are long or hold tables are written over several lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_WIDTH = 96


def dumps(table: Mapping[str, Any]) -> str:
    """Return `table` as TOML text. Raises `ValueError` for null, which TOML does not have."""
    return "\n".join(_table(table, ())).strip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a table's own values, then those of the tables below it."""
    for key, value in table.items():
        if not _is_below(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        name = ".".join(map(_key, (*path, key)))
        if isinstance(value, Mapping):
            # A table that holds only tables is there by their headers.
            if not value or not all(map(_is_below, value.values())):
                yield from ("", f"[{name}]")
            yield from _table(value, (*path, key))
        elif _is_below(value):
            for item in value:
                yield from ("", f"[[{name}]]", *_table(item, (*path, key)))


def _is_below(value: Any) -> bool:
    """Say whether `value` gets headers of its own: a table, or an array of tables."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, Mapping) for item in value)
    return isinstance(value, Mapping)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return _array([_value(item) for item in value])
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if value is None:
        raise ValueError("TOML has no null")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # the same number to a reader, and what people write
    return json.dumps(value)


def _array(items: list[str]) -> str:
    line = f"[{', '.join(items)}]"
    if len(line) <= _WIDTH:
        return line
    return "[\n" + "".join(f"  {item},\n" for item in items) + "]"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    # JSON escapes are TOML escapes; DEL is the one control character that JSON leaves alone.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

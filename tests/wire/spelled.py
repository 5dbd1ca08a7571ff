"""JSON taken apart one level, every value as it is spelled: independent of what the proxy uses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_BLANKS = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=True)


def members(text: str) -> list[tuple[str, str]]:
    """Return names and spelled values of an object, in order; a repeated name is repeated."""
    return [(json.loads(name), value) for name, value in _pairs(text)]


def elements(text: str) -> list[str]:
    """Return the spelled elements of a list."""
    return list(_items(text, "[", "]"))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    place = _after(text, 0, "{")
    while text[place] != "}":
        name, place = _value(text, place)
        value, place = _value(text, _after(text, place, ":"))
        yield name, value
        place = _next(text, place, "}")


def _items(text: str, opening: str, closing: str) -> Iterator[str]:
    place = _after(text, 0, opening)
    while text[place] != closing:
        value, place = _value(text, place)
        yield value
        place = _next(text, place, closing)


def _value(text: str, place: int) -> tuple[str, int]:
    start = _blank(text, place)
    _, end = _DECODER.raw_decode(text, start)
    return text[start:end], end


def _after(text: str, place: int, sign: str) -> int:
    place = _blank(text, place)
    assert text[place] == sign, f"expected {sign} at {place}"
    return _blank(text, place + 1)


def _next(text: str, place: int, closing: str) -> int:
    place = _blank(text, place)
    return place if text[place] == closing else _after(text, place, ",")


def _blank(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    assert found is not None
    return found.end()

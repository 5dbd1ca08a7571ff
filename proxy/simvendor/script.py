"""What a vendor may do wrong, as steps; and the words in a user's text that ask for them.

A script replaces the tidy answer: `Events` and `Rest` send parts of it, the other steps spoil it.
When a script ends, the body ends tidily. A text asks for a script by `[[sim:…]]`, several of
which are played one after the other (`docs/simulated-vendor.md`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Say:
    """Send these bytes as part of the body."""

    bytes: bytes


@dataclass(frozen=True, slots=True)
class Events:
    """Send the next `count` pieces of the tidy answer: events of a stream, else 64 bytes each."""

    count: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Send what is left of the tidy answer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """From here on, wait `ms` milliseconds before each piece of the body."""

    ms: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing for `seconds`, or until `until` is set; with neither, until the caller goes."""

    seconds: float | None = None
    until: asyncio.Event | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Send the error event that the dialect has for the middle of a stream, and end the body."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with a status instead. `body` None: an error of the vendor's usual shape."""

    status: int
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Garbage:
    """Send these bytes past all framing: instead of a head, or in the middle of a chunk."""

    bytes: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """Reset the connection (RST)."""


@dataclass(frozen=True, slots=True)
class Fin:
    """Close the connection (FIN) where the body is not at its end."""


Step = Say | Events | Rest | Pace | Stall | Fail | Refuse | Garbage | Cut | Fin

Options = Mapping[str, str]

GARBAGE = b"\x16\x03\x01\x00\xff not HTTP\r\n\r\n"

# A demonstration never keeps a connection longer than this, whatever its text asks for.
MAX_STALL_S = 600.0

_TRIGGER = re.compile(r"\[\[sim:\s*([a-z]+)((?:\s+[a-z_]+=[^\s\]]+|\s+[0-9]+)*)\s*\]\]", re.ASCII)


def asked_for(text: str) -> tuple[Step, ...]:
    """Return the script that `text` asks for; empty if it asks for none, or for unknown ones."""
    steps: list[Step] = []
    for match in _TRIGGER.finditer(text):
        if build := _VERBS.get(match[1]):
            steps += build(_options(match[2]))
    if not steps or isinstance(steps[-1], Cut | Fin | Fail | Refuse):
        return tuple(steps)
    return (*steps, Rest())


def without_triggers(text: str) -> str:
    return _TRIGGER.sub("", text).strip()


def _options(text: str) -> dict[str, str]:
    """Read `after=3 ms=50`; a bare number is the option `n`."""
    pairs = (word.rpartition("=") for word in text.split())
    return {name or "n": value for name, _, value in pairs}


def _number(options: Options, name: str, default: float) -> float:
    try:
        value = float(options.get(name, default))
    except ValueError:
        return default
    return value if 0 <= value <= MAX_STALL_S * 1000 else default


def _after(options: Options, default: int = 0) -> list[Step]:
    count = int(_number(options, "after", default))
    return [Events(count)] if count else []


def _stall(options: Options) -> list[Step]:
    seconds = min(_number(options, "s", MAX_STALL_S), MAX_STALL_S)
    return [*_after(options), Stall(seconds)]


def _refuse(options: Options) -> list[Step]:
    status = int(_number(options, "n", 500))
    headers = {"retry-after": options["retry_after"]} if "retry_after" in options else {}
    return [Refuse(status if 400 <= status <= 599 else 500, headers=headers)]


_VERBS: Mapping[str, Callable[[Options], list[Step]]] = {
    "status": _refuse,
    "stall": _stall,
    "cut": lambda options: [*_after(options, 3), Cut()],
    "fin": lambda options: [*_after(options, 3), Fin()],
    "error": lambda options: [*_after(options, 3), Fail()],
    "garbage": lambda options: [*_after(options), Garbage(GARBAGE), Cut()],
    "pace": lambda options: [Pace(_number(options, "ms", 200.0))],
}
VERBS = tuple(_VERBS)

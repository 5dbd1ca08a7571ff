"""Cache breakpoints: those that a version sets, as far as the app's own leave room.

The vendor refuses a request with more than four. A version asks for its own by extras named
`cache_control`, `system.cache_control` and `tools.cache_control`; the app's come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from proxy.dialects.base import JsonValue
from proxy.dialects.raw import Raw
from proxy.errors import WrongDialect

# Anthropic's limit for a request (wire.md, 18).
MOST_MARKS = 4

KEY = "cache_control"
EXTRAS = ("system.cache_control", "tools.cache_control")

# The name as a key or as a string, which is counted too: one mark fewer of ours is no harm, one
# too many is. Each letter may be written as an escape.
_SPELLED: Final = re.compile(
    b'"%b"' % b"".join(rb"(?:%c|\\u00%02x|\\u00%02X)" % (c, c, c) for c in KEY.encode())
)


def count_marks(raw: Raw | bytes) -> int:
    """Return how many breakpoints `raw` may hold at most."""
    text = bytes(raw)
    return len(_SPELLED.findall(text)) if b"\\u00" in text else text.count(b'"cache_control"')


@dataclass(frozen=True, slots=True)
class Marks:
    """What a version asks for. `whole` says that it sets `cache_control` of the whole request;
    `system` and `tools` are what goes into their last block, `,"cache_control":{…}`."""

    whole: bool
    system: bytes
    tools: bytes

    @classmethod
    def of(cls, extra: Mapping[str, JsonValue]) -> Marks:
        """Raises `WrongDialect` if an extra is no object."""
        system, tools = (_mark(extra.get(name)) for name in EXTRAS)
        return cls(extra.get(KEY) is not None, system, tools)

    def __bool__(self) -> bool:
        return self.whole or bool(self.system) or bool(self.tools)

    def fitting(self, theirs: Iterable[Raw], *, others: int = 0) -> Marks:
        """Return the marks that there is room for beside those of the app's parts that go out and
        `others`. The mark of the whole request comes first, since it moves on with it."""
        room = MOST_MARKS - others - sum(map(count_marks, theirs))
        whole = self.whole and room > 0
        room -= whole
        system = self.system if room > 0 else b""
        room -= bool(system)
        return Marks(whole, system, self.tools if room > 0 else b"")


NO_MARKS: Final = Marks(False, b"", b"")


def _mark(value: JsonValue) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, dict):
        raise WrongDialect(hint="cache_control must be a table")
    return b',"cache_control":%b' % msgspec.json.encode(value)

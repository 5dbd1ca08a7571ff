"""Names of fields as Google's APIs take them: each in camelCase or in snake_case, as one field.

Both forms are what proto3's JSON has: nothing else is the same name to the vendor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from proxy.dialects.raw import Fields, Raw, is_null
from proxy.errors import InvalidRequest

_HUMP = re.compile(r"(?<=[A-Za-z0-9])[A-Z]")
_GAP = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")

Spellings = Mapping[str, str]
"""By the other spelling of a name: the name."""


def camel(name: str) -> str:
    return _GAP.sub(lambda found: found[1].upper(), name)


def snake(name: str) -> str:
    return _HUMP.sub(lambda found: f"_{found[0]}", name).lower()


def spellings(names: Iterable[str]) -> dict[str, str]:
    """Map the other spelling of each of `names`, where it has one, to the name."""
    pairs = ((camel(name) if "_" in name else snake(name), name) for name in names)
    return {other: name for other, name in pairs if other != name}


def one_spelling(fields: Fields, known: Spellings) -> Fields:
    """Return `fields` with the names that `known` has another spelling of under their own.

    Raises `InvalidRequest` for a field that was sent under both: which one the vendor would take
    cannot be told.
    """
    if known.keys().isdisjoint(fields):
        return fields
    found: dict[str, Raw] = {}
    for sent, raw in fields.items():
        name = known.get(sent, sent)
        before = found.get(name)
        if before is None or is_null(before):
            found[name] = raw
        elif not is_null(raw):
            raise InvalidRequest(f"{name} was sent under two names")
    return found

"""Texts of a version as JSON string bytes, with places for variables.

A text is escaped once, when its version is loaded. Values are escaped when they come and joined
in between, so a value can neither end the string nor be taken for a placeholder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from proxy.errors import InvalidRequest, MissingVariable, UnknownVariable
from proxy.versions.content import Variable
from proxy.versions.template import cut
from proxy.versions.variables import Given, Written, as_declared, misfit, written

Values = Mapping[str, bytes]
"""By variable name: the value, escaped as the inside of a JSON string."""

NO_VALUES: Values = {}

# Names of variables in an error: enough to see a slip of the pen.
MOST_NAMED = 10


def escape(text: str) -> bytes:
    """Return `text` as the inside of a JSON string, without the quotes."""
    return msgspec.json.encode(text)[1:-1]


@dataclass(frozen=True, slots=True)
class Template:
    """Escaped bytes with places: literals at even places, variable names at odd ones."""

    pieces: tuple[bytes | str, ...]

    @property
    def is_empty(self) -> bool:
        return self.pieces == (b"",)

    def fill(self, values: Values) -> bytes:
        """Put `values` in their places. Every name has a value: `bind` saw to that."""
        if len(self.pieces) == 1:
            return self.pieces[0]  # type: ignore[return-value]  # even places hold bytes
        return b"".join(values[p] if isinstance(p, str) else p for p in self.pieces)


def template(*parts: bytes | str) -> Template:
    """Build a template from raw bytes and from texts, which are escaped and cut."""
    pieces: list[bytes | str] = [b""]
    for part in parts:
        more = [part] if isinstance(part, bytes) else _pieces(part)
        pieces[-1] += more[0]  # type: ignore[operator]  # the last piece is always bytes
        pieces += more[1:]
    return Template(tuple(pieces))


def _pieces(text: str) -> list[bytes | str]:
    return [escape(piece) if place % 2 == 0 else piece for place, piece in enumerate(cut(text))]


def bind(declared: Mapping[str, Variable], given: Mapping[str, Given]) -> Values:
    """Give every declared variable its value.

    Raises `UnknownVariable` for a name that is not declared, `MissingVariable` for a required
    one that was not given, `InvalidRequest` for a value that does not fit; names in the last two
    are the version's own. An optional one without a default is the empty text.
    """
    if not declared and not given:
        return NO_VALUES
    check_declared(declared, given)
    return {
        name: escape(_value(name, variable, given.get(name))) for name, variable in declared.items()
    }


def check_declared(declared: Mapping[str, Variable], given: Mapping[str, Given]) -> None:
    """Raise `UnknownVariable`, with the names that there are, if `given` has others."""
    if given.keys() - declared.keys():
        names = sorted(declared)
        more = ", …" if len(names) > MOST_NAMED else ""
        hint = f"it declares {', '.join(names[:MOST_NAMED])}{more}" if names else "it declares none"
        raise UnknownVariable(hint=hint)


def _value(name: str, variable: Variable, given: Given | None) -> str:
    if given is None:
        if variable.required:
            raise MissingVariable(hint=f"variable {name}; values belong in proxy_variables")
        return "" if variable.default is None else written(variable.default)
    if variable.type is None and variable.max_length is None:
        # As below, without the calls: what most variables are.
        return given if isinstance(given, str) else _plain(given)
    value = as_declared(variable, given.text) if isinstance(given, Written) else given
    if complaint := misfit(variable, value):
        raise InvalidRequest(
            "a variable was given a value that does not fit", hint=f"variable {name}: {complaint}"
        )
    return written(value)


def _plain(given: Given) -> str:
    return given.text if isinstance(given, Written) else written(given)

"""Values for variables: which of them fit a declaration, and how they are written into a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec
import rfc8785

Value = str | int | float | bool

VariableType = Literal["string", "number", "boolean", "enum"]


class Written(msgspec.Struct, frozen=True, gc=False):
    """A value that came as text because its sender has no other way to say it: `"3"` may mean a
    number. The declaration decides."""

    text: str


Given = Value | Written


class Declared(Protocol):
    """What a version says of a variable."""

    @property
    def type(self) -> VariableType | None: ...
    @property
    def values(self) -> Sequence[str]: ...
    @property
    def max_length(self) -> int | None: ...


def misfit(declared: Declared, value: Value) -> str:
    """Say what is expected instead of `value`; "" if it fits. The value is not repeated."""
    if declared.type is None:
        return _length(declared, value)
    if declared.type == "number":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number else "a number is expected"
    if declared.type == "boolean":
        return "" if isinstance(value, bool) else "true or false is expected"
    if not isinstance(value, str):
        return "a string is expected"
    if declared.type == "enum" and value not in declared.values:
        return "one of the declared values is expected"
    return _length(declared, value)


def _length(declared: Declared, value: Value) -> str:
    most = declared.max_length
    if most is None or len(written(value)) <= most:
        return ""
    return f"at most {most} characters are expected"


def written(value: Value) -> str:
    """Return what stands in a text for `value`: a string as it is, all else as RFC 8785 writes it,
    so that 3 and 3.0 are one number and have one spelling."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else rfc8785.dumps(value).decode()


def as_declared(declared: Declared, text: str) -> Value:
    """Read a text as the declared type, where it is the JSON spelling of one; else it stays."""
    if declared.type == "boolean" and text in ("true", "false"):
        return text == "true"
    if declared.type == "number":
        try:
            return msgspec.json.decode(text, type=int | float)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return text
    return text


def fitting(name: str, declared: Declared) -> Value:
    """Return a value that fits: for a text the variable's own name, as far as there is room."""
    if declared.type == "number":
        return 1
    if declared.type == "boolean":
        return True
    if declared.type == "enum":
        return declared.values[0]
    return name[: declared.max_length]

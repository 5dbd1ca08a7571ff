"""What is wrong with parsed data, all of it at once, without repeating any value.

Files of people and of the environment are checked here before a model is built from them: what
JSON cannot hold, wrong types (no silent conversion: `"0.2"` is no number), unknown fields with
the name that was probably meant. A complaint is a path into the data and a sentence.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from proxy.errors import Problem
from proxy.locate import Path

M = TypeVar("M", bound=BaseModel)

Complaint = tuple[Path, str]
"""Where in the data something is wrong, and what. Inside a text of a version, the last part of the
path is the name of a placeholder."""

# RFC 8785 numbers are IEEE doubles: a larger integer would not survive the canonical form.
MAX_SAFE_INTEGER = 2**53 - 1

# Far above any real tool schema; keeps the recursions here and in the canonical form short.
MAX_DEPTH = 64


def unfit(value: Any) -> str:
    """Say why a scalar cannot be kept (TOML has dates, infinities, 64-bit integers); "" if it can.

    The canonical form writes a double from 2^53 up to 1e21 as an integer, which a reader could
    not tell from one that lost digits: neither is kept.
    """
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "is not valid Unicode" if has_surrogates(value) else ""
    if isinstance(value, float) and not math.isfinite(value):
        return "numbers must be finite"
    if isinstance(value, int | float):
        lost = abs(value) > MAX_SAFE_INTEGER and (isinstance(value, int) or abs(value) < 1e21)
        return "integers must lie within 2^53 - 1" if lost else ""
    return "must be a string, number, boolean, array or table; a date or time is none"


def has_surrogates(text: str) -> bool:
    """Say whether `text` holds lone surrogates: they are no Unicode and cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def toml_problem(name: str, text: str, error: ValueError) -> Problem:
    """Say where a TOML text cannot be parsed."""
    message, _, place = str(error).partition(" (at ")
    line = re.match(r"line (\d+)", place)
    number = int(line[1]) if line else text.count("\n") + 1
    return Problem(name, number, "", f"is not valid TOML: {message}")


def build(
    model: type[M],
    values: Mapping[str, Any],
    across: Callable[[M], Iterable[Complaint]],
) -> tuple[M | None, list[Complaint]]:
    """Build `model` from `values`, or return None and everything that is wrong.

    `across` lists what no single field shows. It sees a model whose invalid fields are at their
    default, so its complaints must not come from a default.
    """
    complaints: list[Complaint] = []
    clean = _plain(dict(values), (), complaints)
    unfit = tuple(path for path, _ in complaints)
    fields, found = _fields(model, clean)
    complaints += [item for item in found if not _inside(item[0], unfit)]
    complaints += across(model.model_construct(None, **fields))
    if complaints:
        return None, complaints
    return model.model_validate(fields, by_name=True), []


def _inside(path: Path, roots: Iterable[Path]) -> bool:
    return any(path[: len(root)] == root for root in roots)


def _plain(value: Any, path: Path, complaints: list[Complaint]) -> Any:
    """Return `value` with None for what JSON cannot hold, which is complained about."""
    if complaint := _unfit(value, len(path)):
        complaints.append((path, complaint))
        return None
    if isinstance(value, dict):
        items = {_key(key, path, complaints): item for key, item in value.items()}
        return {key: _plain(item, (*path, key), complaints) for key, item in items.items()}
    if isinstance(value, list):
        return [_plain(item, (*path, index), complaints) for index, item in enumerate(value)]
    return value


def _key(key: str, path: Path, complaints: list[Complaint]) -> str:
    if not has_surrogates(key):
        return key
    complaints.append((path, "has a key that is not valid Unicode"))
    return key.encode("utf-8", "replace").decode()


def _unfit(value: Any, depth: int) -> str:
    """Say why `value` cannot be kept; empty if it can."""
    if depth > MAX_DEPTH:
        return f"is nested deeper than {MAX_DEPTH} levels"
    return "" if isinstance(value, dict | list) else unfit(value)


def _fields(
    model: type[BaseModel], values: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Complaint]]:
    """Validate each field by itself, strictly; return the valid ones by name, and complaints."""
    valid: dict[str, Any] = {}
    complaints: list[Complaint] = []
    known = {field.alias or name: name for name, field in model.model_fields.items()}
    for key, value in values.items():
        if key not in known:
            complaints.append(((key,), _unknown(key, known)))
            continue
        field = model.model_fields[known[key]]
        adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
        try:
            valid[known[key]] = adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            complaints += _from_pydantic(error, model, (key,), values)
    for key, name in known.items():
        if model.model_fields[name].is_required() and key not in values:
            complaints.append(((key,), "is required"))
    return valid, complaints


def _from_pydantic(
    error: ValidationError, model: type[BaseModel], prefix: Path, values: Mapping[str, Any]
) -> list[Complaint]:
    """Turn pydantic's errors into complaints, those of one union's arms into one."""
    by_path: dict[Path, list[str]] = {}
    for details in error.errors(include_url=False, include_input=False):
        path = _path((*prefix, *details["loc"]), details["type"], values)
        sentence = _sentence(details, path, model)
        if sentence not in by_path.setdefault(path, []):
            by_path[path].append(sentence)
    return [(path, ", or ".join(sentences)) for path, sentences in by_path.items()]


def _path(location: Path, kind: str, values: Any) -> Path:
    """Drop from a location what is no place in the data, such as the names of union arms."""
    path: Path = ()
    for part in location[:-1] if kind == "missing" else location:
        try:
            values = values[part]
        except (LookupError, TypeError):
            continue
        path += (part,)
    return (*path, location[-1]) if kind == "missing" else path


def _sentence(details: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    kind = details["type"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return _unknown(str(path[-1]), _names_at(model, path[:-1]))
    text = details["msg"].removeprefix("Value error, ").replace(r"\z'", "$'")
    return re.sub(r"^(Input|String) should", "should", text)


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f'unknown field; did you mean "{close[0]}"?' if close else "unknown field"


def _names_at(kind: Any, path: Path) -> list[str]:
    """Return the field names that are allowed at `path` inside the annotation `kind`."""
    kind = _model_in(kind) or kind
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        if not path:
            return list(fields)
        return _names_at(fields[path[0]].annotation, path[1:]) if path[0] in fields else []
    # A mapping by name or a sequence: its values' type is the last but for an ellipsis.
    inner = [argument for argument in get_args(kind) if argument is not Ellipsis]
    return _names_at(inner[-1], path[1:]) if inner and path else []


def _model_in(kind: Any) -> type[BaseModel] | None:
    """Return the model among the arms of a union."""
    if get_origin(kind) not in (Union, UnionType):
        return None
    arms = [arm for arm in get_args(kind) if isinstance(arm, type) and issubclass(arm, BaseModel)]
    return arms[0] if arms else None

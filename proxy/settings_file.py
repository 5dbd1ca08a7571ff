"""Settings from a file, the environment and flags: later ones win, every problem is told at once.

Each field of a fixed section may come from an environment variable, `PROXY_SECTION_FIELD`; a few
have a shorter name, and an empty one counts as not given. Other variables that begin with PROXY_
are left alone: Kubernetes makes some for a service of that name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from proxy.complaints import Complaint, build, toml_problem
from proxy.errors import InvalidFiles, Problem
from proxy.locate import Path as Place
from proxy.locate import field_name, line_of, toml_lines
from proxy.settings import Settings, complaints

DEFAULT_FILE = "config/proxy.toml"

SHORT_NAMES = {
    ("listen", "data"): "PROXY_LISTEN",
    ("listen", "admin"): "PROXY_ADMIN_LISTEN",
    ("listen", "workers"): "PROXY_WORKERS",
    ("fleet", "name"): "PROXY_NAME",
}

FLAGS = {
    ("listen", "data"): "--listen",
    ("listen", "admin"): "--admin",
    ("listen", "workers"): "--workers",
    ("store", "url"): "--store",
}

STORE_SECTIONS = frozenset({"store"})

_TRUE = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class _Given:
    """A value from outside the file, and what it was called there."""

    place: tuple[str, str]
    source: str
    value: Any


def variables() -> dict[tuple[str, str], str]:
    """Return the environment variable of every setting that has one, by section and field."""
    return {
        (section, field): SHORT_NAMES.get(
            (section, field), f"PROXY_{section.upper()}_{field.upper()}"
        )
        for section, model in sections()
        for field in model.model_fields
        if _is_scalar(model.model_fields[field])
    }


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the fixed sections: not vendors and apps, which have names of their own."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation


def load_settings(
    text: str | None,
    file: str,
    env: Mapping[str, str],
    flags: Mapping[str, str | None],
    *,
    only: frozenset[str] | None = None,
) -> Settings:
    """Build the settings from the text of `file` (None: there is none), `env` and `flags`.

    `flags` is by name (`--store`); None means not given. `models.dir` becomes relative to the
    current directory. With `only`, other sections of the file are not looked at and stay at
    their default: a rollback must not fail because of a timeout that is misspelled.

    Raises `InvalidFiles` with every problem: those of the file by line, those of the environment
    by variable. No value is repeated.
    """
    table = _parse(text, file)
    if only is not None:
        table = {key: value for key, value in table.items() if key in only}
    given = [*_from_env(env), *_from_flags(flags)]
    if only is not None:
        given = [item for item in given if item.place[0] in only]
    values = _relative_to_file(table, file)
    for item in given:
        values = _with(values, item)
    settings, found = build(Settings, values, complaints)
    if settings is not None:
        return settings
    lines = toml_lines(text or "")
    sources = {item.place: item.source for item in given}
    problems = {_place(complaint, file, lines, sources) for complaint in found}
    raise InvalidFiles(sorted(problems, key=lambda p: (p.file, p.line, p.field)))


def _parse(text: str | None, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads((text or "").removeprefix("\ufeff"))
    except RecursionError:
        raise InvalidFiles([Problem(file, 0, "", "is nested too deeply")]) from None
    except ValueError as error:
        raise InvalidFiles([toml_problem(file, text or "", error)]) from None


def _relative_to_file(table: dict[str, Any], file: str) -> dict[str, Any]:
    """Put the file's folder before `models.dir`, which is written relative to the file."""
    models = table.get("models", {})
    if not isinstance(models, dict) or not isinstance(models.get("dir", ""), str):
        return table
    folder = models.get("dir", str(Settings().models.dir))
    return {**table, "models": {**models, "dir": str(Path(file).parent / folder)}}


def _from_env(env: Mapping[str, str]) -> Iterator[_Given]:
    for place, name in variables().items():
        if env.get(name):
            yield _Given(place, name, _converted(env[name], _field(place)))


def _from_flags(flags: Mapping[str, str | None]) -> Iterator[_Given]:
    for place, flag in FLAGS.items():
        value = flags.get(flag)
        if value is not None:
            yield _Given(place, flag, _converted(value, _field(place)))


def _field(place: tuple[str, str]) -> FieldInfo:
    section, name = place
    return dict(sections())[section].model_fields[name]


def _is_scalar(field: FieldInfo) -> bool:
    default = field.get_default(call_default_factory=True, validated_data={})
    return not isinstance(default, dict | tuple)


def _converted(text: str, field: FieldInfo) -> Any:
    """Read a variable's text as the kind of value that the field takes.

    What cannot be read stays text, which the field then refuses.
    """
    try:
        if field.annotation is bool:
            return _TRUE.get(text.lower(), text)
        if field.annotation is int:
            return int(text)
        return float(text) if field.annotation is float else text
    except ValueError:
        return text


def _with(values: dict[str, Any], given: _Given) -> dict[str, Any]:
    section, field = given.place
    inner = values.get(section, {})
    if not isinstance(inner, dict):
        return values  # which is complained about
    return {**values, section: {**inner, field: given.value}}


def _place(
    complaint: Complaint,
    file: str,
    lines: Mapping[Place, int],
    sources: Mapping[tuple[str, str], str],
) -> Problem:
    path, message = complaint
    for place, source in sources.items():
        if path[:2] == place:
            return Problem(source, 0, field_name(path), message)
    return Problem(file, line_of(lines, path), field_name(path), message)

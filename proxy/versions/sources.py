"""The files of a model's folder, read into one version's content.

Strategy: each file is decoded and parsed by itself, everything that is wrong is collected with
file, line and field, and only then one complaint is raised. Bytes that editors and version control
add without anybody's intent are no part of a version: a byte order mark, CR before LF, and one
final newline of a text.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.complaints import Complaint, build, toml_problem
from proxy.errors import InvalidFiles, Problem
from proxy.locate import Lines, Path, field_name, json_lines, json_places, line_of, toml_lines
from proxy.versions.content import MAX_CONTENT_BYTES, Content, complaints
from proxy.versions.identity import canonical
from proxy.versions.template import cut

VERSION_FILE = "version.toml"
SYSTEM_FILE = "system.md"
TOOLS_FILE = "tools.json"
MESSAGES_FILE = "messages.json"
USER_FILE = "user.md"
EVALS_FILE = "evals.toml"

SOURCE_FILES = (VERSION_FILE, SYSTEM_FILE, TOOLS_FILE, MESSAGES_FILE, USER_FILE)
"""The files whose content is a version; `evals.toml` lies beside them and is none."""

# Indentation and comments may make a file larger than what is kept of it, but not by this much.
MAX_FILE_BYTES = 4 * MAX_CONTENT_BYTES

_TEXT_FILES = (SYSTEM_FILE, USER_FILE)
_ELSEWHERE = {
    "system": SYSTEM_FILE,
    "tools": TOOLS_FILE,
    "messages": MESSAGES_FILE,
    "user": USER_FILE,
}

# Credentials of vendors, clouds and forges by their published prefixes. A digit is demanded where
# ordinary words could follow the prefix.
_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"
    r"|AIza[0-9A-Za-z_-]{30,}"
    r"|AKIA[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|xox[abprs]-[0-9A-Za-z-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----)"
)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A file's text, what it holds, and where its parts are."""

    text: str = ""
    value: Any = None
    lines: Lines = field(default_factory=dict)


def read(files: Mapping[str, bytes], folder: str = "", *, allow_secrets: bool = False) -> Content:
    """Return the content that `files` (by name, without directory) hold.

    Raises `InvalidFiles` with every problem found, ordered by file and line; `folder` is put
    before the names in them. Files that are no sources are not looked at.
    """
    problems: list[Problem] = []
    parsed = {name: _parse(name, files.get(name), problems) for name in SOURCE_FILES}
    if not allow_secrets:
        problems += [problem for name in parsed for problem in _secrets(name, parsed[name].text)]
    content, found = _build(parsed)
    problems += [_place(complaint, parsed) for complaint in found]
    if content is not None and not problems:
        if size := _oversize(content):
            raise InvalidFiles([Problem(folder or VERSION_FILE, 0, "", size)])
        return content
    raise InvalidFiles(_in_folder(problems, folder), hint=_hint(problems))


def strangers(names: Iterable[str]) -> list[str]:
    """Return the names of files that are neither sources nor evals, sorted."""
    return sorted(set(names) - {*SOURCE_FILES, EVALS_FILE})


def _hint(problems: Iterable[Problem]) -> str:
    if any(problem.message == _SECRET_FOUND for problem in problems):
        return "put keys into proxy.toml's api_key_file; --allow-secrets if it is none"
    return ""


def _in_folder(problems: Iterable[Problem], folder: str) -> list[Problem]:
    placed = {
        Problem(f"{folder}/{p.file}" if folder else p.file, p.line, p.field, p.message)
        for p in problems
    }
    return sorted(placed, key=lambda p: (p.file, p.line, p.field, p.message))


def _parse(name: str, raw: bytes | None, problems: list[Problem]) -> _Parsed:
    if raw is None:
        if name == VERSION_FILE:
            problems.append(Problem(name, 0, "", "the file is missing"))
        return _Parsed()
    text = _decode(name, raw, problems)
    if text is None:
        return _Parsed()
    if name in _TEXT_FILES:
        return _Parsed(text, text.removesuffix("\n"))
    if name == VERSION_FILE:
        return _Parsed(text, _parse_toml(name, text, problems), toml_lines(text))
    return _Parsed(text, _parse_json(name, text, problems), json_lines(text))


def _decode(name: str, raw: bytes, problems: list[Problem]) -> str | None:
    if len(raw) > MAX_FILE_BYTES:
        problems.append(Problem(name, 0, "", f"is larger than {MAX_FILE_BYTES} bytes"))
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.append(Problem(name, line, "", "is not valid UTF-8"))
        return None
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _parse_toml(name: str, text: str, problems: list[Problem]) -> Any:
    try:
        return tomllib.loads(text)
    except RecursionError:
        problems.append(Problem(name, 0, "", "is nested too deeply"))
    except ValueError as error:
        problems.append(toml_problem(name, text, error))
    return None


def _parse_json(name: str, text: str, problems: list[Problem]) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        problems.append(Problem(name, error.lineno, "", f"is not valid JSON: {error.msg}"))
        return None
    except (ValueError, RecursionError):
        problems.append(Problem(name, 0, "", "is nested too deeply, or has too long a number"))
        return None
    problems += repeated_keys(name, text)
    return value


def repeated_keys(name: str, text: str) -> Iterator[Problem]:
    """Yield every key of a JSON text that its object has already, by its line."""
    seen: set[Path] = set()
    for path, line in json_places(text):
        if path in seen:
            yield Problem(name, line, field_name(path), "the key is repeated")
        seen.add(path)


_SECRET_FOUND = "looks like a credential, and a version is shown to everybody"  # noqa: S105


def looks_secret(text: str) -> bool:
    """Say whether `text` holds something that looks like a credential."""
    return _SECRET.search(text) is not None


def _secrets(name: str, text: str) -> Iterator[Problem]:
    for match in _SECRET.finditer(text):
        yield Problem(name, text.count("\n", 0, match.start()) + 1, "", _SECRET_FOUND)


def _build(parsed: Mapping[str, _Parsed]) -> tuple[Content | None, list[Complaint]]:
    table = parsed[VERSION_FILE].value
    texts = {key: parsed[name].value for key, name in _ELSEWHERE.items()}
    values = {key: value for key, value in texts.items() if value is not None}
    if table is None:  # missing or unreadable, which is a problem already
        return None, list(_odd_parameters(values.get("tools")))
    misplaced: list[Complaint] = [
        ((VERSION_FILE, key), f"belongs in {_ELSEWHERE[key]}")
        for key in table.keys() & _ELSEWHERE.keys()
    ]
    values |= {key: value for key, value in table.items() if key not in _ELSEWHERE}
    _drop_empty_extras(values)
    content, found = build(Content, values, _across(values))
    return content, [*misplaced, *found]


def _drop_empty_extras(values: dict[str, Any]) -> None:
    """Leave out tables without a field: writing a header alone changes no behaviour."""
    generation = values.get("generation")
    if isinstance(generation, dict) and isinstance(generation.get("extra"), dict):
        kept = {name: fields for name, fields in generation["extra"].items() if fields != {}}
        values["generation"] = {**generation, "extra": kept}


def _across(values: Mapping[str, Any]) -> Callable[[Content], list[Complaint]]:
    """Return the check of what no single field shows, as far as the fields could be read."""

    def check(content: Content) -> list[Complaint]:
        declaring = {"variables", "generation"} & values.keys()
        found = complaints(content) if declaring <= content.model_fields_set else []
        return [*found, *_odd_parameters(values.get("tools"))]

    return check


def _odd_parameters(tools: Any) -> Iterator[Complaint]:
    """Complain about parameters that no vendor takes: a tool is called with an object."""
    for index, tool in enumerate(tools if isinstance(tools, list) else []):
        parameters = tool.get("parameters") if isinstance(tool, dict) else None
        if not isinstance(parameters, dict):
            continue
        path = ("tools", index, "parameters")
        if parameters.get("type", "object") != "object":
            yield (*path, "type"), 'must be "object": a tool is called with named arguments'
        if not isinstance(parameters.get("properties", {}), dict):
            yield (*path, "properties"), "must be an object"
        if not _are_strings(parameters.get("required", [])):
            yield (*path, "required"), "must be an array of strings"


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _place(complaint: Complaint, parsed: Mapping[str, _Parsed]) -> Problem:
    """Find the file and the line of a complaint about the content."""
    path, message = complaint
    name = _ELSEWHERE.get(str(path[0]), VERSION_FILE)
    if path[0] == VERSION_FILE:
        path = path[1:]
    elif name in _TEXT_FILES:
        return Problem(name, _placeholder_line(parsed[name].text, path), "", message)
    elif name != VERSION_FILE:
        path = path[1:]
    return Problem(name, line_of(parsed[name].lines, path), field_name(path), message)


def _placeholder_line(text: str, path: Path) -> int:
    parts = cut(text)
    for index in range(1, len(parts), 2):
        if parts[index] == path[-1]:
            return 1 + sum(part.count("\n") for part in parts[:index:2])
    return 0


def _oversize(content: Content) -> str:
    size = len(canonical(content))
    limit = MAX_CONTENT_BYTES
    return f"the version has {size} bytes; the limit is {limit}" if size > limit else ""

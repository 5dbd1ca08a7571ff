"""Import: a prompt that was stored at the vendor becomes the files of a model's folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from proxy.complaints import Complaint
from proxy.control.bounded_file import read_text
from proxy.control.folder import write_folder
from proxy.dialects.stored_prompt import StoredPrompt, read_stored_prompt
from proxy.errors import InvalidArgument, InvalidFiles, Problem, UnsavedChanges
from proxy.locate import Lines, Path, field_name, json_lines, line_of
from proxy.versions import checkout, sources
from proxy.versions.names import is_model_name


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`prompt_id` is the vendor's, empty where the file does not say. `left_out` is what the files
    of `folder` lack."""

    model: str
    folder: File
    prompt_id: str
    written: tuple[str, ...]
    removed: tuple[str, ...]
    left_out: tuple[Problem, ...]

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "folder": str(self.folder),
            "prompt_id": self.prompt_id or None,
            "written": list(self.written),
            "removed": list(self.removed),
            "left_out": [
                {"line": one.line, "field": one.field, "message": one.message}
                for one in self.left_out
            ],
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """How a prompt is imported. `name` is the model's, None: that of the prompt. `vendor_model`
    goes before the one in the file. `partial` leaves out what is not understood, `force` overwrites
    a folder that holds a model."""

    name: str | None = None
    vendor: str = "openai"
    vendor_model: str | None = None
    partial: bool = False
    force: bool = False


def import_prompt(file: File, models_dir: File, wish: Wish) -> ImportReport:
    """Write what `file` holds into the folder of a model. Nothing is registered.

    Raises `InvalidFiles` with everything that is wrong or not understood, `InvalidArgument` if the
    model has no name, `UnsavedChanges` if its folder holds one, `NotWritable`.
    """
    text = read_text(file, sources.MAX_FILE_BYTES)
    stored = read_stored_prompt(_parsed(file, text), wish.vendor, wish.vendor_model)
    problems = [*sources.repeated_keys(str(file), text), *_problems(file, text, stored.wrong)]
    left_out = _problems(file, text, stored.left_out)
    if stored.content is None or problems or (left_out and not wish.partial):
        hint = "--partial leaves out what is not understood" if left_out and not problems else ""
        raise InvalidFiles([*problems, *left_out], hint=hint)
    model = _name(wish, stored)
    folder = models_dir / model
    there = {name for name in sources.SOURCE_FILES if (folder / name).exists()}
    if there and not wish.force:
        raise UnsavedChanges(f"{folder} holds a model already", hint="another --name, or --force")
    files = checkout.write(stored.content)
    unwanted = frozenset(there - files.keys())
    write_folder(folder, files, unwanted)
    written, removed = tuple(files), tuple(sorted(unwanted))
    return ImportReport(model, folder, stored.id, written, removed, tuple(left_out))


def _parsed(file: File, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(str(file), error.lineno, "", f"is not valid JSON: {error.msg}")
        raise InvalidFiles([problem]) from None
    except (ValueError, RecursionError):
        problem = Problem(str(file), 0, "", "is nested too deeply, or has too long a number")
        raise InvalidFiles([problem]) from None
    if not isinstance(value, dict):
        raise InvalidFiles([Problem(str(file), 1, "", "must be a JSON object")])
    return value


def _problems(file: File, text: str, found: Iterable[Complaint]) -> list[Problem]:
    lines = json_lines(text)
    return [
        Problem(str(file), _line(lines, path), field_name(path), message) for path, message in found
    ]


def _line(lines: Lines, path: Path) -> int:
    """Find the line; what is under `generation` in a version is at the top of a prompt."""
    return line_of(lines, path) or line_of(lines, path[1:])


def _name(wish: Wish, stored: StoredPrompt) -> str:
    name = wish.name if wish.name is not None else stored.name
    if not is_model_name(name):
        raise InvalidArgument(
            "this is not a valid model name" if name else "the file does not name the prompt",
            hint="--name NAME says what the model is to be called",
        )
    return name

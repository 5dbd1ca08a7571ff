"""A model's folder on disk: the thin shell around `versions.sources` and `versions.checkout`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.errors import InvalidFiles, Problem, UnknownModelNamed
from proxy.versions.names import is_model_name
from proxy.versions.sources import MAX_FILE_BYTES, SOURCE_FILES, VERSION_FILE, strangers


@dataclass(frozen=True, slots=True)
class Folder:
    """The sources in a folder by name, and the names of files that are none."""

    path: Path
    files: Mapping[str, bytes]
    strangers: tuple[str, ...]


def read_folder(path: Path) -> Folder:
    """Read the sources under `path`. Raises `UnknownModelNamed` if there is no such folder, and
    `InvalidFiles` if one cannot be read."""
    try:
        names = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
    except OSError:
        raise UnknownModelNamed(
            f"there is no folder {path}",
            hint="the folder of the models is models.dir in proxy.toml",
        ) from None
    files = {name: _read(path / name) for name in names if name in SOURCE_FILES}
    return Folder(path, files, tuple(strangers(names)))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError:
        raise InvalidFiles([Problem(str(path), 0, "", "cannot be read")]) from None


def model_folders(models_dir: Path) -> list[str]:
    """Return the names of the folders that hold a model, sorted; none if there is no such place."""
    return sorted(_models_in(models_dir))


def _models_in(models_dir: Path) -> Iterator[str]:
    if models_dir.is_dir():
        for path in models_dir.iterdir():
            if is_model_name(path.name) and (path / VERSION_FILE).is_file():
                yield path.name


def write_folder(path: Path, files: Mapping[str, bytes], unwanted: frozenset[str]) -> None:
    """Write `files` under `path` and remove the `unwanted` ones. Each file changes as a whole.

    Raises `InvalidFiles` naming the file that could not be changed.
    """
    place = path
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            place = path / name
            _replace(place, content)
        for name in sorted(unwanted):
            place = path / name
            place.unlink(missing_ok=True)
    except OSError:
        raise InvalidFiles([Problem(str(place), 0, "", "cannot be written")]) from None


def _replace(path: Path, content: bytes) -> None:
    # Kept: the mode of a file that is there already; a new one gets what the umask allows.
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current

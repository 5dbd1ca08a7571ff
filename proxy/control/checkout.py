"""Checkout: a version becomes the files of its model's folder again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.control.folder import read_folder, write_folder
from proxy.control.references import find
from proxy.errors import InvalidFiles, NotWritable, UnsavedChanges
from proxy.store.base import Store
from proxy.versions import checkout, identity, sources
from proxy.versions.content import Content
from proxy.versions.record import VersionInfo


@dataclass(frozen=True, slots=True)
class CheckoutReport:
    """Which files of `folder` were written and removed; the others said the same already."""

    info: VersionInfo
    folder: Path
    written: tuple[str, ...]
    removed: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        return {
            "id": self.info.id,
            "version": self.info.number,
            "digest": self.info.digest,
            "folder": str(self.folder),
            "written": list(self.written),
            "removed": list(self.removed),
        }


async def check_out(
    store: Store, models_dir: Path, model: str, reference: str, *, force: bool = False
) -> CheckoutReport:
    """Make the folder of `model` say what a version says. Files that say it already stay as they
    are, comments included; evals and unknown files are not touched.

    Raises `UnsavedChanges` if the folder holds something that is not registered, unless `force`.
    """
    found = await find(store, model, reference)
    folder = models_dir / model
    written, removed = await lay_out(store, folder, model, found.content, force=force)
    return CheckoutReport(found.info, folder, written, removed)


async def lay_out(
    store: Store, folder: Path, model: str, content: Content, *, force: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make `folder` say `content`; return the names of files that were written and removed. Raises
    as `check_out`, and `NotWritable` for content that files cannot hold."""
    current = _current(folder)
    if not force and _is_there(folder) and not await _is_registered(store, model, current):
        raise UnsavedChanges(
            f"{folder} holds what is not registered and would be lost",
            hint=f"proxyctl register {model} first, or --force",
        )
    wanted = checkout.write(content)
    same = _unchanged(current, wanted)
    changed = {name: raw for name, raw in wanted.items() if name not in same}
    unwanted = frozenset(_sources_in(folder) - wanted.keys())
    write_folder(folder, changed, unwanted)
    return tuple(changed), tuple(sorted(unwanted))


def _is_there(folder: Path) -> bool:
    return bool(_sources_in(folder))


def _sources_in(folder: Path) -> set[str]:
    return {name for name in sources.SOURCE_FILES if (folder / name).exists()}


def _current(folder: Path) -> Content | None:
    """Return what the folder says, as the store would give it back (which sorts the keys of JSON
    objects); None if there is nothing, or nothing that can be read."""
    if not _is_there(folder):
        return None
    try:
        content = sources.read(read_folder(folder).files, allow_secrets=True)
    except InvalidFiles:
        return None
    stored = identity.canonical(content)
    return identity.load(stored, identity.digest(stored))


async def _is_registered(store: Store, model: str, content: Content | None) -> bool:
    if content is None:
        return False
    digest = identity.digest(identity.canonical(content))
    return any(info.digest == digest for info in await store.versions(model))


def _unchanged(current: Content | None, wanted: dict[str, bytes]) -> set[str]:
    """Return the files whose part of the version is the same in the folder."""
    if current is None:
        return set()
    try:
        written = checkout.write(current)
    except NotWritable:
        return set()
    return {name for name, raw in wanted.items() if written.get(name) == raw}

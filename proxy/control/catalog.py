"""What is registered: lists, one version whole, two versions compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proxy.control.references import find, require_model
from proxy.store.base import Store
from proxy.versions.content import Content
from proxy.versions.diff import Difference, compare
from proxy.versions.record import PROD, Pins, VersionInfo


def info_json(info: VersionInfo) -> dict[str, Any]:
    """Return a version's record as scripts read it."""
    meta = info.meta
    return {
        "id": info.id,
        "version": info.number,
        "digest": info.digest,
        "at": info.at,
        "by": meta.by,
        "message": meta.message,
        "parent": meta.parent,
        "commit": meta.commit,
        "dirty": meta.dirty,
        "bytes": info.bytes,
    }


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One registered model: its newest version, and what its labels hold, by label."""

    model: str
    count: int
    newest: VersionInfo
    pins: dict[str, str]

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "versions": self.count,
            "newest": self.newest.id,
            "pins": self.pins,
        }


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version, the labels that hold it, and why it was revoked (None: it was not)."""

    info: VersionInfo
    labels: tuple[str, ...]
    revoked: str | None

    def json(self) -> dict[str, Any]:
        return {
            **info_json(self.info),
            "labels": list(self.labels),
            "revoked": self.revoked is not None,
        }


@dataclass(frozen=True, slots=True)
class Shown:
    """A version with its content."""

    info: VersionInfo
    content: Content

    def json(self) -> dict[str, Any]:
        content = self.content.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {"model": self.info.model, **info_json(self.info), "content": content}


@dataclass(frozen=True, slots=True)
class Compared:
    before: VersionInfo
    after: VersionInfo
    difference: Difference

    def json(self) -> dict[str, Any]:
        return {
            "model": self.before.model,
            "from": self.before.id,
            "to": self.after.id,
            "same": self.difference.is_empty,
            **self.difference.json(),
        }


def labels_of(pins: Pins, model: str) -> dict[str, str]:
    """Return the ids that the labels of `model` hold: prod first, the others by name."""
    held = {label: pin.id for (name, label), pin in pins.pins.items() if name == model}
    return dict(sorted(held.items(), key=lambda item: (item[0] != PROD, item[0])))


async def list_models(store: Store) -> list[ModelRow]:
    """Return every registered model, by name."""
    pins = await store.pins()
    return [
        ModelRow(model, len(versions), versions[-1], labels_of(pins, model))
        for model in await store.models()
        if (versions := await store.versions(model))
    ]


async def list_versions(store: Store, model: str) -> list[VersionRow]:
    """Return the versions of `model`, newest first. Raises `UnknownModelNamed`."""
    versions = await require_model(store, model)
    labels = labels_of(await store.pins(), model)
    revoked = (await store.guards(model)).revoked
    return [
        VersionRow(
            info,
            tuple(label for label, held in labels.items() if held == info.id),
            revoked.get(info.id),
        )
        for info in reversed(versions)
    ]


async def show(store: Store, model: str, reference: str) -> Shown:
    """Return a version with its content, verified; raises as `references.find` does."""
    found = await find(store, model, reference)
    return Shown(found.info, found.content)


async def diff(store: Store, model: str, before: str, after: str) -> Compared:
    """Return what turns version `before` into `after`; raises as `references.find` does."""
    old, new = await find(store, model, before), await find(store, model, after)
    return Compared(old.info, new.info, compare(old.content, new.content))

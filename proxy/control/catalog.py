"""What is registered: lists, one version whole, two versions compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.control.back import HISTORY_LIMIT
from proxy.control.references import find, require_model
from proxy.control.register import read_source
from proxy.control.results import Proof, proofs
from proxy.store.base import Store
from proxy.versions.content import Content
from proxy.versions.diff import Difference, compare
from proxy.versions.record import PROD, Pins, VersionInfo

FILES = "files"
"""How an operator says that the files are meant, instead of a registered version."""


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
    """One version, the labels that hold it, why it was revoked (None: it was not), and its results,
    newest first. `suite` is the one that the gate asks for; None: there is no gate."""

    info: VersionInfo
    labels: tuple[str, ...]
    revoked: str | None
    evals: tuple[Proof, ...] = ()
    suite: str | None = None

    @property
    def telling(self) -> Proof | None:
        """The result that says most: the newest in the gate's suite, else the newest of all."""
        found = (one for one in self.evals if one.suite == self.suite)
        return next(found, self.evals[0] if self.evals else None)

    def json(self) -> dict[str, Any]:
        return {
            **info_json(self.info),
            "labels": list(self.labels),
            "revoked": self.revoked is not None,
            "evals": [proof.json() for proof in self.evals],
        }


@dataclass(frozen=True, slots=True)
class Shown:
    """A version with its content and its results, newest first."""

    info: VersionInfo
    content: Content
    evals: tuple[Proof, ...] = ()

    def json(self) -> dict[str, Any]:
        content = self.content.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {
            "model": self.info.model,
            **info_json(self.info),
            "evals": [proof.json() for proof in self.evals],
            "content": content,
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """What turns one version into another; each is an id, or `files`."""

    model: str
    before: str
    after: str
    difference: Difference

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "from": self.before,
            "to": self.after,
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
    guards = await store.guards(model)
    known = proofs(await store.history(model, HISTORY_LIMIT))
    return [
        VersionRow(
            info,
            tuple(label for label, held in labels.items() if held == info.id),
            guards.revoked.get(info.id),
            tuple(known.get(info.digest, ())),
            guards.gate.suite if guards.gate is not None else None,
        )
        for info in reversed(versions)
    ]


async def show(store: Store, model: str, reference: str) -> Shown:
    """Return a version with its content, verified; raises as `references.find` does."""
    found = await find(store, model, reference)
    known = proofs(await store.history(model, HISTORY_LIMIT))
    return Shown(found.info, found.content, tuple(known.get(found.info.digest, ())))


async def diff(store: Store, model: str, before: str, after: str, *, models_dir: Path) -> Compared:
    """Return what turns version `before` into `after`. Either may be `files`: what the model's
    folder holds now. Raises as `references.find` and `register.read_source` do."""
    old = await _side(store, model, before, models_dir)
    new = await _side(store, model, after, models_dir)
    return Compared(model, old[0], new[0], compare(old[1], new[1]))


async def _side(store: Store, model: str, reference: str, models_dir: Path) -> tuple[str, Content]:
    if reference == FILES:
        return FILES, (await read_source(models_dir, model, allow_secrets=True)).content
    found = await find(store, model, reference)
    return found.info.id, found.content

"""What is evaluated: a registered version, or what the files hold, which may have no number yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.control.catalog import FILES
from proxy.control.references import find, find_id, require_model_name
from proxy.control.register import read_source
from proxy.errors import UnknownVersion
from proxy.store.base import Change, Expect, NewVersion, Order, Store
from proxy.versions import identity
from proxy.versions.content import Content
from proxy.versions.names import is_digest
from proxy.versions.record import PROD, Meta, VersionInfo


@dataclass(frozen=True, slots=True)
class Subject:
    """A version's content. `info` is what it is registered as; None: it is not."""

    model: str
    content: Content = field(repr=False)
    stored: bytes = field(repr=False)
    digest: str
    info: VersionInfo | None

    @property
    def name(self) -> str:
        """What people call it: its id, or that the files hold it."""
        return self.info.id if self.info is not None else FILES


async def subject(store: Store, models_dir: Path, model: str, reference: str) -> Subject:
    """Return the version of `model` that `reference` means; `files` is what its folder holds.

    Raises as `references.find` and `register.read_source` do.
    """
    if reference == FILES:
        content = (await read_source(models_dir, model, allow_secrets=True)).content
        stored = identity.canonical(content)
        digest = identity.digest(stored)
        return Subject(model, content, stored, digest, await _registered(store, model, digest))
    found = await find(store, model, reference)
    return _of(model, found.content, found.info)


async def pinned(store: Store, model: str) -> Subject | None:
    """Return what `prod` holds of `model`; None: nothing. Raises as `references.find_id` does."""
    pin = (await store.pins()).pins.get((model, PROD))
    if pin is None:
        return None
    found = await find_id(store, model, pin.id)
    return _of(model, found.content, found.info)


@dataclass(frozen=True, slots=True)
class Named:
    """A version by its digest, and how people call it; its content need not be known here."""

    model: str
    name: str
    digest: str
    number: int | None = None

    def json(self) -> dict[str, Any]:
        known = self.number is not None
        return {
            "id": self.name if known else None,
            "version": self.number,
            "digest": self.digest,
        }


async def named(store: Store, models_dir: Path, model: str, reference: str) -> Named:
    """Return the version of `model` that `reference` means; it may be a digest, of content that has
    no number and is nowhere. Raises as `subject` does."""
    if is_digest(reference):
        require_model_name(model)
        info, digest = await _registered(store, model, reference), reference
    else:
        one = await subject(store, models_dir, model, reference)
        info, digest = one.info, one.digest
    if info is not None:
        return Named(model, info.id, digest, info.number)
    return Named(model, FILES if reference == FILES else digest, digest)


async def _registered(store: Store, model: str, digest: str) -> VersionInfo | None:
    return next((one for one in await store.versions(model) if one.digest == digest), None)


def _of(model: str, content: Content, info: VersionInfo) -> Subject:
    return Subject(model, content, identity.canonical(content), info.digest, info)


def require_registered(subject: Subject) -> VersionInfo:
    """Return what the subject is registered as. Raises `UnknownVersion` if it is not."""
    if subject.info is None:
        raise UnknownVersion(
            f"what the files of {subject.model} hold is not registered",
            hint=f"proxyctl register {subject.model}",
        )
    return subject.info


async def stage(store: Store, subject: Subject) -> None:
    """Register and pin the subject in an empty store of its own, for the proxy of an eval."""
    new = NewVersion(subject.model, subject.stored, subject.digest, Meta(by="eval"))
    info = (await store.register(new, "eval-register")).info
    change = Change(subject.model, PROD, info.id, info.digest, Expect(None))
    await store.swap(Order((change,), "eval-pin", by="eval"))

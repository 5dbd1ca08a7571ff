"""From what an operator typed to a verified version."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from proxy.errors import (
    InvalidArgument,
    ProxyError,
    UnknownModelNamed,
    UnknownVersion,
    VersionCorrupt,
)
from proxy.store.base import Store
from proxy.versions import identity
from proxy.versions.content import Content
from proxy.versions.names import (
    ByLabel,
    ByNumber,
    is_label,
    is_model_name,
    parse_reference,
    split_id,
)
from proxy.versions.record import Version, VersionInfo


@dataclass(frozen=True, slots=True)
class Found:
    """A registered version whose bytes have the digest that they were registered under."""

    info: VersionInfo
    content: Content


async def find(store: Store, model: str, reference: str) -> Found:
    """Return the version of `model` that `reference` means: `v7`, `v7-a3f9c2`, an id or a label.

    Raises `InvalidArgument`, `UnknownModelNamed`, `UnknownVersion` or `VersionCorrupt`.
    """
    return await _found(store, model, await _number(store, model, reference), reference)


async def find_id(store: Store, model: str, version: str) -> Found:
    """Return the version with the full id `version`; raises as `find` does."""
    parts = split_id(version)
    if parts is None or parts[0] != model:
        raise UnknownVersion(
            f"{version} is no version of {model}", hint=f"see proxyctl versions {model}"
        )
    return await _found(store, model, parts[1], version)


async def require_model(store: Store, model: str) -> list[VersionInfo]:
    """Return the versions of `model`. Raises `UnknownModelNamed` if there is none."""
    require_model_name(model)
    versions = await store.versions(model)
    if not versions:
        raise unknown_model(model, await store.models())
    return versions


def require_model_name(model: str) -> None:
    """Raise `InvalidArgument` unless `model` may be the name of one."""
    if not is_model_name(model):
        raise InvalidArgument(
            "this is not a valid model name",
            hint="1 to 63 lower-case letters, digits and hyphens, for example recommender; "
            "proxyctl versions lists those that there are",
        )


def require_label(label: str) -> None:
    """Raise `InvalidArgument` unless `label` may be one."""
    if not is_label(label):
        raise InvalidArgument(
            "a label is lower-case letters, digits and hyphens, and not v with a number",
            hint="for example prod or staging",
        )


def unknown_model(model: str, known: Iterable[str]) -> ProxyError:
    close = difflib.get_close_matches(model, list(known), n=1)
    hint = f"did you mean {close[0]}?" if close else f"proxyctl register {model}, if it has files"
    return UnknownModelNamed(f"no version of {model} is registered", hint=hint)


async def _number(store: Store, model: str, reference: str) -> ByNumber:
    require_model_name(model)
    parsed = parse_reference(reference, model)
    if parsed is None:
        raise InvalidArgument(
            f"this does not name a version of {model}",
            hint=f"v7, v7-a3f9c2, {model}-v7-a3f9c2, or a label such as prod",
        )
    if isinstance(parsed, ByLabel):
        return await _pinned(store, model, parsed.label)
    return parsed


async def _pinned(store: Store, model: str, label: str) -> ByNumber:
    pin = (await store.pins()).pins.get((model, label))
    parts = split_id(pin.id) if pin is not None else None
    if parts is not None:
        return parts[1]
    await require_model(store, model)
    raise UnknownVersion(
        f"{model} has no version pinned to {label}", hint=f"see proxyctl versions {model}"
    )


async def _found(store: Store, model: str, wanted: ByNumber, reference: str) -> Found:
    version = await store.version(model, wanted.number)
    if version is None:
        await require_model(store, model)
        raise UnknownVersion(
            f"{model} has no version v{wanted.number}", hint=f"see proxyctl versions {model}"
        )
    if not version.info.digest.removeprefix("sha256:").startswith(wanted.hexdigits):
        raise UnknownVersion(
            f"v{wanted.number} of {model} is {version.info.id}, not {reference}",
            hint="the number belongs to other content than you expect",
        )
    return Found(version.info, _verified(version))


def _verified(version: Version) -> Content:
    try:
        return identity.load(version.content, version.info.digest)
    except VersionCorrupt as error:
        raise VersionCorrupt(
            f"{version.info.id}: {error.message}",
            hint=error.hint or "register it again from its files, and see proxyctl check",
        ) from None

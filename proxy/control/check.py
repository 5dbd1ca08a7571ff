"""Would it work? Store, pins, files, keys, vendors, and the way back, looked at from here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from proxy.control.confirm import MISSING
from proxy.control.folder import model_folders, read_folder
from proxy.control.preflight import VendorModels, usable, vendor_models
from proxy.control.references import Found, find_id
from proxy.control.status import ModelState, ProxyState, Status, status
from proxy.dialects.registry import DIALECTS
from proxy.errors import InvalidFiles, ProxyError, RequestError, StoreUnavailable, StoreUnsafe
from proxy.gateway.credential import find_credential
from proxy.settings import Settings, Vendor
from proxy.store.base import Store
from proxy.versions import identity, sources
from proxy.versions.content import Content
from proxy.versions.record import PROD


class Level(StrEnum):
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what, how it stands, and what to do about it."""

    level: Level
    what: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CheckReport:
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.level is not Level.RED for finding in self.findings)

    def json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "findings": [
                {"level": str(f.level), "what": f.what, "message": f.message, "hint": f.hint}
                for f in self.findings
            ],
        }


@dataclass(slots=True)
class _Wanted:
    """What the pinned versions need of the vendors: ids of vendor models by vendor, each with the
    versions that name it."""

    ids: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def note(self, content: Content, version: str) -> None:
        for place in (content.model, *content.routing.fallback):
            self.ids.setdefault(place.vendor, {}).setdefault(place.id, []).append(version)


async def check(store: Store, settings: Settings, env: Mapping[str, str]) -> CheckReport:
    """Look at everything and change nothing. What is wrong is a finding, not an error."""
    wanted = _Wanted()
    findings = [finding async for finding in _store_findings(store, settings, wanted)]
    vendors = settings.vendors.items()
    asked = (_vendor_findings(name, one, wanted, env) for name, one in vendors)
    for found in await asyncio.gather(*asked):
        findings += found
    return CheckReport(tuple(findings))


async def _store_findings(
    store: Store, settings: Settings, wanted: _Wanted
) -> AsyncIterator[Finding]:
    try:
        state, weaknesses = await status(store), await store.weaknesses()
    except (StoreUnavailable, StoreUnsafe) as error:
        yield Finding(Level.RED, "store", error.message, error.hint)
        return
    yield Finding(Level.GREEN, "store", state.store)
    for weakness in weaknesses:
        level = Level.RED if weakness.refused else Level.YELLOW
        yield Finding(level, "store", weakness.message, weakness.hint)
    for finding in _fleet_findings(state):
        yield finding
    contents: dict[str, Content] = {}
    for model in state.models:
        async for finding in _model_findings(store, settings, model, wanted, contents):
            yield finding
    async for finding in _file_findings(store, settings, state, contents):
        yield finding


def _fleet_findings(state: Status) -> Iterator[Finding]:
    if state.behind:
        yield Finding(
            Level.RED, "fleet", "serves a later epoch than the store has", "proxyctl repair"
        )
    yield from (_proxy_finding(proxy, state.epoch) for proxy in state.fleet)


def _proxy_finding(proxy: ProxyState, epoch: int) -> Finding:
    member, what = proxy.member, f"proxy {proxy.member.name}"
    if proxy.state == MISSING:
        return Finding(Level.YELLOW, what, f"fell silent {member.age_s:.0f} s ago")
    if proxy.differs:
        return Finding(
            Level.YELLOW, what, "has another release or vendor table than most of the fleet"
        )
    if member.epoch < epoch:
        return Finding(Level.YELLOW, what, f"is at epoch {member.epoch}, the store at {epoch}")
    return Finding(Level.GREEN, what, proxy.state)


async def _model_findings(
    store: Store,
    settings: Settings,
    model: ModelState,
    wanted: _Wanted,
    contents: dict[str, Content],
) -> AsyncIterator[Finding]:
    if all(label.label != PROD for label in model.labels):
        yield Finding(
            Level.YELLOW,
            f"{model.model} {PROD}",
            "nothing is pinned",
            f"proxyctl pin {model.model} v{model.newest.number}",
        )
    for label in model.labels:
        what = f"{model.model} {label.label}"
        if label.pin is None:
            yield Finding(
                Level.RED, what, "the pin cannot be read", f"proxyctl rollback {model.model}"
            )
            continue
        try:
            found = await find_id(store, model.model, label.pin.id)
        except ProxyError as error:
            yield Finding(Level.RED, what, error.message, error.hint)
            continue
        contents[what] = found.content
        wanted.note(found.content, found.info.id)
        yield _servable(what, found, settings)
        if label.event is None:
            yield Finding(Level.YELLOW, what, "was set by hand: the history does not know it")
    yield await _way_back(store, model)


def _servable(what: str, found: Found, settings: Settings) -> Finding:
    """Say whether the version can go out to the vendor it names, in that vendor's dialects."""
    vendor = settings.vendors.get(found.content.model.vendor)
    if vendor is None:
        return Finding(
            Level.RED,
            what,
            f"{found.info.id} names vendor {found.content.model.vendor}, which is not configured",
            f"add [vendors.{found.content.model.vendor}] to the settings",
        )
    failing = [name for name in vendor.dialects if not _compiles(name, found.content)]
    if failing:
        none_left = len(failing) == len(vendor.dialects)
        return Finding(
            Level.RED if none_left else Level.YELLOW,
            what,
            f"{found.info.id} cannot be served in {', '.join(failing)}",
            f"proxyctl render {found.info.model} v{found.info.number}",
        )
    return Finding(Level.GREEN, what, found.info.id)


def _compiles(dialect: str, content: Content) -> bool:
    try:
        DIALECTS[dialect].compile(content)
    except RequestError:
        return False
    return True


async def _way_back(store: Store, model: ModelState) -> Finding:
    what = f"{model.model} rollback"
    if model.back is None:
        return Finding(Level.YELLOW, what, "there is no earlier version to go back to")
    try:
        found = await find_id(store, model.model, model.back)
    except ProxyError as error:
        return Finding(Level.RED, what, error.message, error.hint)
    return Finding(Level.GREEN, what, f"would go to {found.info.id}")


async def _file_findings(
    store: Store, settings: Settings, state: Status, contents: Mapping[str, Content]
) -> AsyncIterator[Finding]:
    registered = {model.model for model in state.models}
    for name in model_folders(settings.models.dir):
        what = f"{settings.models.dir / name}"
        folder = read_folder(settings.models.dir / name)
        try:
            content = sources.read(folder.files, what)
        except InvalidFiles as error:
            yield Finding(Level.RED, what, error.message, error.hint)
            continue
        if name not in registered:
            yield Finding(Level.YELLOW, what, "is not registered", f"proxyctl register {name}")
        elif content == contents.get(f"{name} {PROD}"):
            yield Finding(Level.GREEN, what, f"says what {PROD} holds")
        else:
            yield await _other_files(store, name, what, content)


async def _other_files(store: Store, model: str, what: str, content: Content) -> Finding:
    digest = identity.digest(identity.canonical(content))
    same = next((one for one in await store.versions(model) if one.digest == digest), None)
    if same is None:
        return Finding(
            Level.YELLOW,
            what,
            "holds changes that are not registered",
            f"proxyctl register {model}",
        )
    return Finding(
        Level.YELLOW,
        what,
        f"says {same.id}, which is not what {PROD} holds",
        f"proxyctl pin {model} v{same.number}, or proxyctl checkout {model} {PROD}",
    )


async def _vendor_findings(
    name: str, vendor: Vendor, wanted: _Wanted, env: Mapping[str, str]
) -> list[Finding]:
    what = f"vendor {name}"
    credential = find_credential(vendor.api_key_file, vendor.api_key_env, env)
    if credential is None:
        return [Finding(Level.GREEN, what, "apps bring their own keys, so it was not asked")]
    if not usable(credential):
        source = vendor.api_key_env or f"file {vendor.api_key_file}"
        level = Level.RED if name in wanted.ids else Level.YELLOW
        return [Finding(level, what, f"there is no usable key in {source}")]
    return list(lacking(what, wanted.ids.get(name, {}), await vendor_models(vendor, credential)))


def lacking(
    what: str, wanted: Mapping[str, Iterable[str]], models: VendorModels
) -> Iterator[Finding]:
    """Say what a vendor's answer means for the vendor models that are wanted of it."""
    if models.ids is None:
        yield Finding(Level.YELLOW, what, models.complaint)
        return
    missing = {vendor_model for vendor_model in wanted if vendor_model not in models.ids}
    for vendor_model in sorted(missing):
        versions = ", ".join(wanted[vendor_model])
        yield Finding(Level.RED, what, f"does not have {vendor_model}, wanted by {versions}")
    if not missing:
        yield Finding(Level.GREEN, what, "answers, and has every vendor model that is wanted")

"""Would it work? Store, pins, files, keys, vendors, and the way back.

Whether a version could be served is asked of the proxies that are live: it is their keys and their
vendors that count. Where none answers, it is looked at from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from proxy.control.confirm import MISSING
from proxy.control.folder import model_folders, read_folder
from proxy.control.prepare import FORWARD_S, Preparation, look, named, several
from proxy.control.references import find_id
from proxy.control.status import ModelState, ProxyState, Status, status
from proxy.errors import InvalidFiles, ProxyError, StoreUnavailable, StoreUnsafe
from proxy.fleet.fitness import IN_WORDS, Trouble
from proxy.fleet.snapshot import Served, ready
from proxy.gateway.preflight import Preflight, servable
from proxy.gateway.vendor_list import VendorModels
from proxy.settings import Settings
from proxy.store.base import Store
from proxy.versions import identity, sources
from proxy.versions.content import Content
from proxy.versions.record import DRILL, PROD


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
class Need:
    """Which versions name one model of a vendor; `first`: for one of them it is no fallback."""

    versions: list[str] = field(default_factory=list)
    first: bool = False


@dataclass(slots=True)
class _Wanted:
    """The versions that have to work, each by what it is there for."""

    versions: dict[str, Served] = field(default_factory=dict)

    def of(self, vendor: str) -> dict[str, Need]:
        """Return which models of `vendor` are needed."""
        needs: dict[str, Need] = {}
        for served in {one.id: one for one in self.versions.values()}.values():
            for place, target in enumerate(served.targets):
                if target.vendor == vendor:
                    need = needs.setdefault(target.model, Need())
                    need.versions.append(served.id)
                    need.first |= place < served.sharing
        return needs


async def check(
    store: Store, settings: Settings, env: Mapping[str, str], clock: Callable[[], float]
) -> CheckReport:
    """Look at everything and change nothing. What is wrong is a finding, not an error."""
    preflight, wanted = Preflight(settings.vendors, env, clock), _Wanted()
    try:
        state, weaknesses = await status(store), await store.weaknesses()
    except (StoreUnavailable, StoreUnsafe) as error:
        away = Finding(Level.RED, "store", error.message, error.hint)
        return CheckReport((away, *await _vendor_findings(preflight, settings, wanted)))
    findings = [Finding(Level.GREEN, "store", state.store)]
    for weakness in weaknesses:
        level = Level.RED if weakness.refused else Level.YELLOW
        findings.append(Finding(level, "store", weakness.message, weakness.hint))
    findings += _fleet_findings(state)
    for model in state.models:
        findings += [finding async for finding in _model_findings(store, model, wanted)]
    findings += _alias_findings(settings, state)
    findings += await _served_findings(store, settings, preflight, wanted)
    findings += [one async for one in _file_findings(store, settings, state, wanted)]
    return CheckReport(tuple(findings))


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
    store: Store, model: ModelState, wanted: _Wanted
) -> AsyncIterator[Finding]:
    if all(label.label != PROD for label in model.labels):
        yield Finding(
            Level.YELLOW,
            f"{model.model} {PROD}",
            "nothing is pinned",
            f"proxyctl pin {model.model} v{model.newest.number}",
        )
    # What the last drill left behind is served to nobody.
    for label in (one for one in model.labels if one.label != DRILL):
        what = f"{model.model} {label.label}"
        if label.pin is None:
            hint = f"proxyctl rollback {model.model}"
            yield Finding(Level.RED, what, "the pin cannot be read", hint)
            continue
        if label.event is None:
            yield Finding(Level.YELLOW, what, "was set by hand: the history does not know it")
        async for finding in _noted(store, what, label.pin.id, wanted):
            yield finding
    what = f"{model.model} rollback"
    if model.back is None:
        yield Finding(Level.YELLOW, what, "there is no earlier version to go back to")
        return
    async for finding in _noted(store, what, model.back, wanted):
        yield finding


def _alias_findings(settings: Settings, state: Status) -> Iterator[Finding]:
    """Yield the ids of stored prompts whose calls would be answered with 404 or 503."""
    live = {one.model for one in state.models for label in one.labels if label.label == PROD}
    for alias, model in settings.models.prompts.items():
        if model not in live:
            words = f"leads to {model}, of which nothing is pinned"
            yield Finding(Level.YELLOW, f"models.prompts {alias}", words, f"proxyctl pin {model}")


async def _noted(store: Store, what: str, id: str, wanted: _Wanted) -> AsyncIterator[Finding]:
    """Note the version with this id as wanted, or say why it cannot be had."""
    model = what.partition(" ")[0]
    try:
        found = await find_id(store, model, id)
        version = await store.version(model, found.info.number)
        if version is not None:
            wanted.versions[what] = await ready(version)
    except ProxyError as error:
        message = IN_WORDS.get(error.code, error.message)
        yield Finding(Level.RED, what, f"{id}: {message}", error.hint)


async def _file_findings(
    store: Store, settings: Settings, state: Status, wanted: _Wanted
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
        elif content == _content(wanted.versions.get(f"{name} {PROD}")):
            yield Finding(Level.GREEN, what, f"says what {PROD} holds")
        else:
            yield await _other_files(store, name, what, content)


def _content(served: Served | None) -> Content | None:
    return served.content if served is not None else None


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


async def _served_findings(
    store: Store, settings: Settings, preflight: Preflight, wanted: _Wanted
) -> list[Finding]:
    """Say of each wanted version whether it could be served: by the proxies, or from here."""
    versions = wanted.versions.items()
    asked = {one.id: named(one.version.info) for _, one in versions}
    said = await look(store, tuple(asked.values()), await store.members(), FORWARD_S)
    if said.ready or said.rejected:
        return [finding for what, one in versions for finding in of_fleet(what, one.id, said)]
    seen = ((what, one.id, servable(settings.vendors, one)) for what, one in versions)
    findings = [finding for one in seen for finding in of_one(*one)]
    return findings + await _vendor_findings(preflight, settings, wanted)


async def _vendor_findings(
    preflight: Preflight, settings: Settings, wanted: _Wanted
) -> list[Finding]:
    names = list(settings.vendors)
    said = await asyncio.gather(*map(preflight.lists.models, names))
    answers = zip(names, said, strict=True)
    return [one for name, said in answers for one in of_vendor(name, wanted.of(name), said)]


def of_fleet(what: str, id: str, said: Preparation) -> Iterator[Finding]:
    """Say what the proxies think of the version with this id."""
    rejected = [(one.words or one.reason, one.proxy) for one in said.rejected if one.version == id]
    remarks = [(one.words, one.proxy) for one in said.remarks if one.version == id]
    for level, found in ((Level.RED, rejected), (Level.YELLOW, remarks)):
        for words in dict.fromkeys(words for words, _ in found):
            names = [name for said_so, name in found if said_so == words]
            yield Finding(level, what, f"{id}: {words}", f"at {several(names)}")
    if not rejected and not remarks:
        yield Finding(Level.GREEN, what, id)
    if said.silent:
        yield Finding(Level.YELLOW, what, f"{id}: no answer from {several(said.silent)}")


def of_one(what: str, id: str, found: Iterable[Trouble]) -> Iterator[Finding]:
    """Say what was seen of the version with this id from here."""
    troubles = list(found)
    for one in troubles:
        yield Finding(Level.RED if one.red else Level.YELLOW, what, f"{id}: {one.words}")
    if not troubles:
        yield Finding(Level.GREEN, what, id)


def of_vendor(
    name: str, needs: Mapping[str, Need], models: VendorModels | None
) -> Iterator[Finding]:
    """Say how a vendor answered, and what that means for the models that are needed of it."""
    what = f"vendor {name}"
    if models is None:
        yield Finding(Level.GREEN, what, "apps bring their own keys, so it was not asked")
        return
    if models.ids is None:
        red = models.code and any(need.first for need in needs.values())
        yield Finding(Level.RED if red else Level.YELLOW, what, models.complaint)
        return
    missing = sorted(needs.keys() - models.ids)
    for vendor_model in missing:
        need = needs[vendor_model]
        level = Level.RED if need.first else Level.YELLOW
        wanted = ", ".join(need.versions)
        yield Finding(level, what, f"does not list {vendor_model}, wanted by {wanted}")
    if not missing:
        yield Finding(Level.GREEN, what, "answers, and has every vendor model that is wanted")

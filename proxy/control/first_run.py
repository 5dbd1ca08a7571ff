"""The first run: everything under `config/models` registered, and pinned where nothing is yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from proxy.control.act import Act
from proxy.control.confirm import NO_WAIT
from proxy.control.folder import model_folders
from proxy.control.pin import NOTHING, Want, pin
from proxy.control.register import RegisterReport, follow_files, read_sources, register
from proxy.errors import Conflict, GateRefused
from proxy.gateway.credential import find_credential
from proxy.gateway.vendor_list import usable
from proxy.settings import Settings
from proxy.store.base import Store
from proxy.versions.content import Content
from proxy.versions.record import PROD


@dataclass(frozen=True, slots=True)
class Prepared:
    """One model: the version that its files are, and the id that prod holds (it may be another:
    what somebody pinned or rolled back to stays). `newest` is the highest number there is, `gated`
    says that the next version has to pass a gate."""

    registered: RegisterReport
    content: Content
    held: str
    newest: int
    gated: bool

    @property
    def up_to_date(self) -> bool:
        return self.held == self.registered.info.id


async def prepare(store: Store, settings: Settings, act: Act) -> list[Prepared]:
    """Register every model's files, and pin to prod those models that have nothing there.

    Raises `InvalidFiles` with every problem of every model before anything is registered.
    """
    models = model_folders(settings.models.dir)
    prepared = []
    for source in await read_sources(settings.models.dir, models):
        own = Act(act.by, f"{act.operation}.{source.model}", act.reason)
        vendors = settings.vendors
        report = await register(store, source, own, vendors=vendors, follows=False)
        # The very first version is compared with nothing; the gate is for what comes after it.
        held = await _held(store, report, own)
        await follow_files(store, source, own)
        newest = (await store.versions(source.model))[-1].number
        gated = (await store.guards(source.model)).gate is not None
        prepared.append(Prepared(report, source.content, held, newest, gated))
    return prepared


async def _held(store: Store, report: RegisterReport, act: Act) -> str:
    """Return what prod holds, after pinning the version there if that was nothing."""
    info, pins = report.info, await store.pins()
    if (holds := pins.pins.get((info.model, PROD))) is not None:
        return holds.id
    pin_act = Act(act.by, f"{act.operation}.pin", "first run")
    wants = [Want(info.model, info.id)]
    try:
        await pin(store, wants, pin_act, NO_WAIT, label=PROD, expect=NOTHING)
    except Conflict as error:
        # An unreadable pin holds no id; a running proxy keeps what it serves until it is mended.
        return error.current or ""
    except GateRefused:
        return ""
    return info.id


def keyless(settings: Settings, env: Mapping[str, str]) -> list[str]:
    """Return the vendors that should have a key of their own and have none, by name."""
    found = []
    for name, vendor in sorted(settings.vendors.items()):
        credential = find_credential(vendor.api_key_file, vendor.api_key_env, env)
        if credential is not None and not usable(credential):
            found.append(name)
    return found


def simulated(settings: Settings, names: Collection[str], url: str) -> Settings:
    """Return the settings with these vendors at `url`, called without a key."""
    there = {"base_url": url, "api_key_env": None, "api_key_file": None, "ca_file": None}
    vendors = {
        name: vendor.model_copy(update=there) if name in names else vendor
        for name, vendor in settings.vendors.items()
    }
    return settings.model_copy(update={"vendors": vendors})

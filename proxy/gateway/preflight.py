"""Could a version be served from here: by these vendors, with these keys, in their dialects?

What concerns a target that requests go to first is red. A fallback that would fail is a warning,
since requests are answered without it; so is whatever a vendor does that says nothing about later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from proxy.dialects.registry import DIALECTS
from proxy.dialects.samples import conversation, sample_values, sayable
from proxy.errors import RequestError, WrongDialect
from proxy.fleet.fitness import Fitness, Trouble
from proxy.fleet.snapshot import Served
from proxy.gateway.vendor_list import VendorLists, VendorModels
from proxy.settings import Vendor

UNKNOWN_VENDOR = "unknown_vendor"
"""The settings have no vendor of that name."""

RETIRED_MODEL = "retired_model"
"""The vendor's list of models lacks the one that is named."""

NOT_RENDERED = "not_rendered"
"""No request can be composed of it."""

SAID = (("user", "Hello"),)


class Preflight:
    """What is looked at from one proxy, or by an operator: a table of vendors, and its keys."""

    def __init__(
        self, vendors: Mapping[str, Vendor], env: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        self._vendors = vendors
        self.lists = VendorLists(vendors, env, clock)

    def dialects(self, served: Served) -> tuple[str, ...]:
        """Return the dialects that the version's first vendor speaks."""
        return spoken(self._vendors, served)

    async def fitness(self, served: Served, limit_s: float) -> Fitness:
        """Say whether `served` could be served; vendors are asked at the same time, and waited
        for `limit_s`. Never raises for what vendors do."""
        names = sorted({one.vendor for one in served.targets} & self._vendors.keys())
        said = await asyncio.gather(*(self.lists.models(name, limit_s) for name in names))
        lists = dict(zip(names, said, strict=True))
        return Fitness.of([*servable(self._vendors, served), *listed(served, lists)])


def spoken(vendors: Mapping[str, Vendor], served: Served) -> tuple[str, ...]:
    vendor = vendors.get(served.targets[0].vendor)
    return vendor.dialects if vendor is not None else ()


def servable(vendors: Mapping[str, Vendor], served: Served) -> Iterator[Trouble]:
    """Yield what shows without asking anybody: vendors, dialects, and a request of the smallest
    kind."""
    for place, target in enumerate(served.targets):
        if target.vendor not in vendors:
            words = f"{_called(served, place)} is not configured"
            yield Trouble(UNKNOWN_VENDOR, words, red=place < served.sharing)
    names = spoken(vendors, served)
    for place, target in enumerate(served.targets):
        vendor = vendors.get(target.vendor)
        lacks = [name for name in names if vendor is not None and name not in vendor.dialects]
        if lacks:
            words = f"{_called(served, place)} does not speak {', '.join(lacks)}"
            yield Trouble(WrongDialect.code, words, red=False)
    foreign = [name for name in names if name not in served.dialects]
    if foreign:
        words = f"it cannot be served in {', '.join(foreign)}"
        yield Trouble(WrongDialect.code, words, red=len(foreign) == len(names))
    own = [name for name in names if name in served.dialects]
    failing = {name: why for name in own if (why := _refused(served, name))}
    for name, why in failing.items():
        words = f"a sample request in {name} fails with {why}"
        yield Trouble(NOT_RENDERED, words, red=len(failing) == len(own))


def _refused(served: Served, dialect: str) -> str:
    """Return why a sample request cannot be composed; empty: it can."""
    values = sample_values(served.content.variables)
    model = served.version.info.model
    try:
        said = sayable(served.content, SAID)
        asked = conversation(DIALECTS[dialect], model, said, values)
        served.compiled(dialect).compose(asked)
    except RequestError as error:
        return error.code
    except Exception as error:
        # A version that our own code cannot bear would fail for apps too.
        return type(error).__name__
    return ""


def listed(served: Served, lists: Mapping[str, VendorModels | None]) -> Iterator[Trouble]:
    """Yield what the vendors' answers, by name, mean for the targets of `served`."""
    for place, target in enumerate(served.targets):
        said = lists.get(target.vendor)
        if said is None:
            continue
        called, first = _called(served, place), place < served.sharing
        if said.ids is None:
            red = bool(said.code) and first
            yield Trouble(said.code or "unlisted", f"{called} {said.complaint}", red=red)
        elif target.model not in said.ids:
            words = f"{called} does not list {target.model}"
            yield Trouble(RETIRED_MODEL, words, red=first)


def _called(served: Served, place: int) -> str:
    role = "vendor" if place < served.sharing else "fallback"
    return f"{role} {served.targets[place].vendor}"
